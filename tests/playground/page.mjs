// Uses the playground as a person would, in Chromium without a screen. Arguments: the address, and a folder for screenshots. Prints what
// was seen as JSON, one object a line; ends with 0 if nothing was missing.
import { chromium } from "playwright-core";

const [address, folder] = process.argv.slice(2);
const PATIENCE = { timeout: 180_000 };
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
const page = await context.newPage();
const elsewhere = [];
const problems = [];
context.on("request", (request) => request.url().startsWith("http") && !request.url().startsWith(address) && elsewhere.push(request.url()));
page.on("pageerror", (error) => problems.push(error.message));
page.on("console", (line) => line.type() === "error" && problems.push(line.text()));

const say = (what, value) => console.log(JSON.stringify({ what, value }));
const shot = (name) => page.screenshot({ path: `${folder}/${name}.png` });
const errors = () => page.textContent("#errors");
const see = (test, ...args) => page.waitForFunction(test, args, PATIENCE);
const tab = (name) => page.click(`[data-tab=${name}]`);

async function type(text) {
  await page.click(".cm-content");
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete");
  for (const [number, line] of text.split("\n").entries()) {
    if (number > 0) {
      await page.keyboard.press("Escape"); // closes what completion offers
      await page.keyboard.press("Enter");
    }
    await page.keyboard.type(line, { delay: 5 });
  }
  await page.keyboard.press("Escape");
}

async function run() {
  await tab("run");
  await see(() => document.querySelector("#fields input") !== null);
  await page.evaluate(() => (document.querySelector("#results").textContent = ""));
  await page.click("#form button[type=submit]");
  await see(() => /:|must|error/.test(document.querySelector("#results").textContent));
  return page.textContent("#results");
}

// as soon as it is loaded, before anything is kept for later, it needs no network
const bare = await browser.newContext({ serviceWorkers: "block" });
const first = await bare.newPage();
await first.goto(address);
await first.waitForFunction(() => document.body.dataset.loaded, null, PATIENCE);
await bare.setOffline(true);
await first.selectOption("#lessons", { label: "A hidden layer" });
await first.click("[data-tab=run]");
await first.waitForFunction(() => document.querySelector('[name="weight:dense2.bias"]') !== null, null, PATIENCE);
await first.click("#form button[type=submit]");
await first.waitForFunction(() => /:|must|error/.test(document.querySelector("#results").textContent), null, PATIENCE);
say("at once", await first.textContent("#results"));
await bare.close();

await page.goto(address);
await see(() => document.body.dataset.ready);
await see(() => document.body.dataset.loaded);

// the first lesson has a mistake: until it is mended, there is nothing on the right
await tab("picture");
say("nothing", await page.locator("#nothing:visible").allTextContents());
await tab("summary");

// the tutorial's mistake, and how it is mended
const weights = "features = input [5]\nweights = param [1, 5] init=normal(1) as weights\nbias = param [1] init=normal(1) as bias\n";
await type(`${weights}features @ weights + bias -> sigmoid`);
await see(() => document.querySelector("#errors").textContent.includes("cannot multiply"));
say("mistake", await errors());
await see(() => document.querySelector(".cm-lintRange-error") !== null);
await shot("mistake");
await type(`${weights}features @ (weights -> transpose 0 1) + bias -> sigmoid`);
await see(() => document.querySelector("#errors").textContent === "no errors");
await see(() => document.querySelector("#summary .netc-row") !== null);
say("summary", await page.textContent("#summary"));
say("something", await page.locator("#nothing:visible").allTextContents());
say("hints", await page.locator(".hint").allTextContents());
await shot("summary");
await tab("picture");
const frame = page.frameLocator("#picture iframe");
await frame.locator("svg").first().waitFor({ state: "visible", ...PATIENCE });
say("picture", await frame.locator("svg").first().textContent());
await shot("picture");
await tab("source");
await see(() => document.querySelector("#source").textContent.includes("class"));
say("source", await page.textContent("#source"));
await shot("source");
say("neuron", await run());
await shot("run");

// the hidden layer, then a network whose blocks open by a click
await page.selectOption("#lessons", { label: "A hidden layer" });
await see(() => document.querySelector('[name="weight:dense2.bias"]') !== null);
say("network", await run());
await tab("picture");
await page.selectOption("#lessons", { label: "vision/resnet.net" });
await see(() => !document.querySelector("#model").hidden && document.querySelector("#errors").textContent === "no errors");
await frame.locator("svg a").first().waitFor({ state: "visible", ...PATIENCE });
const before = await frame.locator("section:visible h1").textContent();
await frame.locator("section:visible svg a").first().click();
await page.waitForTimeout(500);
say("opened", [before, await frame.locator("section:visible h1").textContent()]);
await shot("blocks");

// markup in a text is text
await type('x = input 3  # <img src=x onerror="document.title=1">\nx -> dense 2 as l');
await see(() => document.querySelector("#errors").textContent === "no errors");
say("title", await page.title());

// the address has the spec; without a network, the page opens again and still answers
await see(() => document.querySelector("#editor").textContent.includes("[N, 2]"));
await see(() => document.body.dataset.linked === document.body.dataset.ready);
const link = page.url();
await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
await see(() => caches.keys().then((names) => names.length === 1));
await page.waitForTimeout(2000);
await context.setOffline(true);
await page.goto("about:blank");
await page.goto(link);
await see(() => document.body.dataset.ready);
await see(() => document.body.dataset.loaded);
say("again", await page.locator(".cm-content").textContent());
say("offline", await run());

await page.setViewportSize({ width: 390, height: 844 });
await page.waitForTimeout(300);
say("phone", await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]));
await page.screenshot({ path: `${folder}/phone.png`, fullPage: true });
await tab("summary");
await see(() => document.querySelector("#summary .netc-row") !== null);
await page.screenshot({ path: `${folder}/phone-summary.png`, fullPage: true });
say("elsewhere", elsewhere);
say("problems", problems);
await browser.close();
