// Runs models in ONNX Runtime Web in Chromium. Arguments: the address of their folder, a JSON file of cases, and `webgpu` or `wasm`. Each
// case has a name and inputs, which are files of numbers. Prints a JSON object a line: the results, and the nodes without a WebGPU kernel.
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const [address, file, provider] = process.argv.slice(2);
const flags = ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader", "--ignore-gpu-blocklist"];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", ...flags] });

async function runModel([{ name, inputs }, provider]) {
  const build = provider === "wasm" ? "ort.wasm" : "ort";
  const ort = await import(`./node_modules/onnxruntime-web/dist/${build}.bundle.min.mjs`);
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "verbose";
  const arrays = { float32: Float32Array, int64: BigInt64Array, int32: Int32Array, bool: Uint8Array };
  try {
    // the optimizer would replace nodes by its own
    const options = { executionProviders: [provider], graphOptimizationLevel: "disabled", logSeverityLevel: 1 };
    const session = await ort.InferenceSession.create(`${name}.onnx`, options);
    const feeds = {};
    for (const input of inputs) {
      const buffer = await (await fetch(input.file)).arrayBuffer();
      feeds[input.name] = new ort.Tensor(input.dtype, new arrays[input.dtype](buffer), input.shape);
    }
    const results = await session.run(feeds);
    const outputs = {};
    for (const [name, tensor] of Object.entries(results)) outputs[name] = Array.from(await tensor.getData(), Number).map(String);
    await session.release();
    return { outputs };
  } catch (error) {
    return { problem: String(error.message ?? error) };
  }
}

for (const model of JSON.parse(await readFile(file, "utf-8"))) {
  const page = await browser.newPage();
  const lacks = [];
  page.on("console", (line) => {
    const match = /kernel not found in registries for Op type: (\S+) node name: (.*)/.exec(line.text());
    if (match !== null) lacks.push([match[1], match[2]]);
  });
  await page.goto(address);
  if (provider === "webgpu" && !(await page.evaluate(() => navigator.gpu?.requestAdapter().then(Boolean)))) {
    console.log(JSON.stringify({ name: model.name, lacks, problem: "Chromium has no adapter for WebGPU" }));
  } else {
    console.log(JSON.stringify({ name: model.name, lacks, ...(await page.evaluate(runModel, [model, provider])) }));
  }
  await page.close();
}
await browser.close();
