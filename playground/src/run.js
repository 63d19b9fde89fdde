// The form of a run, and the run: the ONNX model that netc wrote, in ONNX Runtime's WebAssembly.
let runtime;

export function loadRuntime() {
  runtime ??= (async () => {
    const ort = await import("./ort/ort.wasm.min.mjs");
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = new URL("./ort/", location.href).href;
    await import("./ort/ort-wasm-simd-threaded.mjs"); // which the first run imports, perhaps without a network
    ort.env.wasm.wasmBinary = await (await fetch("./ort/ort-wasm-simd-threaded.wasm")).arrayBuffer();
    return ort;
  })();
  return runtime;
}

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array, int16: Int16Array, int8: Int8Array,
  uint8: Uint8Array, bool: Uint8Array,
};

export function numbersOf(text) {
  const words = text.split(/[\s,;[\]]+/).filter(Boolean);
  const numbers = words.map(Number);
  const wrong = words.findIndex((_, n) => Number.isNaN(numbers[n]));
  if (wrong >= 0) throw new Error(`\`${words[wrong]}\` is not a number`);
  return numbers;
}

// The sizes of an input: what a symbolic one is to be, or a formula of those.
export function sizesOf(shape, dims) {
  return shape.map((size) => {
    if (typeof size === "number") return size;
    if (size in dims) return dims[size];
    throw new Error(`the size ${size} is computed from others: give the input's numbers where it is a name`);
  });
}

function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

export async function run(bytes, inputs, texts, dims) {
  const ort = await loadRuntime();
  const session = await ort.InferenceSession.create(bytes);
  const feeds = {};
  for (const { name, type, shape } of inputs) {
    const kind = ARRAYS[type];
    if (kind === undefined) throw new Error(`a page has no numbers of ${type}, which \`${name}\` needs`);
    const sizes = sizesOf(shape, dims);
    const count = sizes.reduce((a, b) => a * b, 1);
    const typed = (texts[name] ?? "").trim();
    const isFloat = type.startsWith("float");
    const numbers = typed ? numbersOf(typed) : Array.from({ length: count }, () => (isFloat ? normal() : 0));
    if (numbers.length !== count) throw new Error(`\`${name}\` is [${sizes.join(", ")}], which is ${count} numbers, not ${numbers.length}`);
    feeds[name] = new ort.Tensor(type, kind.from(type === "int64" ? numbers.map((n) => BigInt(Math.trunc(n))) : numbers), sizes);
  }
  const results = await session.run(feeds);
  return session.outputNames.map((name) => ({ name, type: results[name].type, shape: [...results[name].dims], data: results[name].data }));
}

const MOST = 64;

export function written({ name, type, shape, data }) {
  const shown = Array.from(data.slice(0, MOST), (value) =>
    typeof value === "number" && !Number.isInteger(value) ? value.toFixed(4) : String(value),
  );
  const rest = data.length > MOST ? ` and ${data.length - MOST} others` : "";
  return `${name}: ${type} [${shape.join(", ")}]\n${shown.join("  ")}${rest}`;
}
