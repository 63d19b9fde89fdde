// Questions to the worker, each with its answer; an older question of the same kind is given up when a newer one is asked.
const worker = new Worker("./worker.mjs", { type: "module" });
const waiting = new Map();
let last = 0;

worker.onmessage = ({ data: { id, value, error } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) resolve(value);
  else reject(new Error(error));
};

worker.onerror = ({ message }) => {
  for (const { reject } of waiting.values()) reject(new Error(message || "the worker of the page cannot start"));
  waiting.clear();
};

export function ask(question, args = {}) {
  const id = (last += 1);
  worker.postMessage({ id, question, args });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}
