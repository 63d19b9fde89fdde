// Pyodide with netc inside, away from the page's own thread. Messages: {id, question, args}; answers: {id, value} or {id, error}.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const ready = start();

async function start() {
  const files = fetch("./python.zip").then((answer) => answer.arrayBuffer());
  const python = await loadPyodide({ indexURL: "./pyodide/" });
  python.FS.mkdir("/page");
  python.unpackArchive(new Uint8Array(await files), "zip", { extractDir: "/netc" });
  python.runPython("import os, sys; sys.path.insert(0, '/netc'); os.environ['XDG_CACHE_HOME'] = '/netc/cache'");
  return python.pyimport("netc_page");
}

self.onmessage = async ({ data: { id, question, args } }) => {
  try {
    const page = await ready;
    if (question === "onnx") {
      const made = page.ask_onnx(JSON.stringify(args));
      const bytes = made.toJs();
      made.destroy();
      self.postMessage({ id, value: bytes });
    } else {
      self.postMessage({ id, value: JSON.parse(page.ask(question, JSON.stringify(args))) });
    }
  } catch (error) {
    self.postMessage({ id, error: lastLine(String(error.message ?? error)) });
  }
};

// Python's own last line says what is wrong; what precedes it is where.
function lastLine(text) {
  const lines = text.trim().split("\n");
  return lines[lines.length - 1].replace(/^[\w.]*(Error|Exception): /, "");
}
