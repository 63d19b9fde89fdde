// Uses the page of `netc compile --example javascript` as a person would. Arguments: its address, a JSON file of things to try, and a path
// for a screenshot. Each thing is a list of cells, or the path of an image. Prints what the page answers as JSON, one object a line.
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const [address, tries, shot] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage({ viewport: { width: 700, height: 900 } });
const dialogs = [];
page.on("dialog", async (dialog) => {
  dialogs.push(dialog.message());
  await dialog.dismiss();
});
page.on("pageerror", (error) => dialogs.push(error.message));
await page.goto(address);
for (const thing of JSON.parse(await readFile(tries, "utf-8"))) {
  await page.evaluate(() => {
    document.getElementById("answers").replaceChildren();
    document.getElementById("problem").textContent = "";
    document.getElementById("form").noValidate = true; // the page's own check is tested
  });
  if (Array.isArray(thing)) {
    for (const [i, text] of thing.entries()) {
      const field = page.locator(`#field${i}`);
      if ((await field.evaluate((element) => element.tagName)) === "SELECT") await field.selectOption(text);
      else await field.fill(text);
    }
    await page.click("button");
  } else {
    await page.setInputFiles("#image", thing);
  }
  await page.waitForFunction(() => document.querySelector("#answers h2") !== null || document.getElementById("problem").textContent !== "");
  const answers = await page.evaluate(() => [
    ...[...document.querySelectorAll("#answers h2")].map((title) => title.textContent),
    ...[...document.querySelectorAll("#answers tr")].map((row) => [row.querySelector("th").textContent, row.lastChild.textContent].join("  ")),
  ]);
  console.log(JSON.stringify({ answers, problem: await page.textContent("#problem"), dialogs, images: await page.locator("img[onerror]").count() }));
}
await page.screenshot({ path: shot, fullPage: true });
await browser.close();
