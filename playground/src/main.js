// The page: text on the left; errors below it; summary, picture, PyTorch source and a run on the right, all of it as the text is typed.
import { decode, encode } from "./address.js";
import { makeEditor, show } from "./editor.js";
import { ask } from "./netc.js";
import { loadRuntime, numbersOf, run, written } from "./run.js";

const $ = (id) => document.getElementById(id);
const state = { model: null, answer: null, asked: 0, shown: {}, seen: {}, lesson: null };
let editor;

const text = () => editor.state.doc.toString();
const about = (question, more = {}) => ask(question, { text: text(), model: state.model, ...more });

function fill(list, values, chosen) {
  list.replaceChildren(...values.map(([value, label]) => new Option(label, value, false, value === chosen)));
}

async function check() {
  const number = (state.asked += 1);
  let answer;
  try {
    answer = await about("check");
  } catch (error) {
    if (number === state.asked) report(`internal error: ${error.message}`, "error");
    return;
  }
  if (number !== state.asked) return;
  if (state.model !== null && !answer.models.includes(state.model)) {
    state.model = null;
    return check();
  }
  state.answer = answer;
  state.shown = {};
  show(editor, answer);
  const errors = answer.diagnostics.some((one) => one.severity === "error") || /^error/m.test(answer.rendered);
  state.fine = !errors;
  report(answer.rendered || "no errors", errors ? "error" : answer.rendered ? "warning" : "fine");
  $("model").hidden = answer.models.length < 2;
  fill($("model"), answer.models.map((name) => [name, name]), state.model ?? answer.models[0]);
  document.body.dataset.ready = String(number);
  await refresh();
  const code = await encode(text());
  if (number !== state.asked) return;
  history.replaceState(null, "", `#${code}`);
  document.body.dataset.linked = String(number);
}

function report(words, kind) {
  $("errors").textContent = words;
  $("errors").className = kind;
}

// The tab that is seen is brought up to date; what is wrong leaves the last good answer, faded.
async function refresh() {
  const tab = document.querySelector('[role=tab][aria-selected="true"]').dataset.tab;
  $("panels").classList.toggle("stale", !state.fine);
  $("nothing").hidden = state.fine || state.seen[tab] || tab === "run";
  if (!state.fine || state.shown[tab]) return;
  state.shown[tab] = true;
  const number = state.asked;
  try {
    await TABS[tab](() => number === state.asked);
    state.seen[tab] = true;
  } catch (error) {
    if (number === state.asked) $(tab).textContent = error.message;
  }
}

const TABS = {
  async summary(current) {
    const made = await about("summary");
    if (current()) $("summary").innerHTML = made;
  },
  async picture(current) {
    const made = await about("picture");
    // links within the page lead to parts of it, not to the page around it
    if (current()) $("picture").querySelector("iframe").srcdoc = made.replace("<head>", '<head><base href="about:srcdoc">');
  },
  async source(current) {
    const made = await about("source");
    if (current()) $("source").textContent = made;
  },
  async run() {
    form();
  },
};

function symbols() {
  const found = new Set(["N"]);
  for (const { shape } of state.answer.inputs) for (const size of shape) if (/^[A-Z][A-Z0-9_]*$/.test(size)) found.add(size);
  return [...found].filter((name) => state.answer.inputs.some(({ shape }) => shape.includes(name)));
}

function field(group, name, label, value, placeholder) {
  const line = document.createElement("label");
  const words = document.createElement("span");
  words.textContent = label;
  const input = document.createElement("input");
  Object.assign(input, { name: `${group}:${name}`, value: value ?? "", placeholder, autocomplete: "off" });
  line.append(words, input);
  return line;
}

function form() {
  const before = Object.fromEntries(new FormData($("form")));
  const given = state.lesson?.given ?? {};
  const value = (group, name) => before[`${group}:${name}`] || given[name]?.join(" ");
  const { inputs, parameters } = state.answer;
  const rows = symbols().map((name) => field("size", name, `size ${name}`, before[`size:${name}`] || (name === "N" ? "1" : "4"), ""));
  for (const { name, type, shape } of inputs)
    rows.push(field("input", name, `${name}: ${type} [${shape.join(", ")}]`, value("input", name), type.startsWith("float") ? "random" : "zeros"));
  const weights = document.createElement("details");
  weights.open = parameters.some(({ name }) => given[name]);
  const title = document.createElement("summary");
  title.textContent = "parameters";
  weights.append(title, field("seed", "seed", "seed of those that are not typed", before["seed:seed"] || "7", ""));
  for (const { name, shape, typed } of parameters)
    if (typed) weights.append(field("weight", name, `${name} [${shape.join(", ")}]`, value("weight", name), "drawn"));
  $("fields").replaceChildren(...rows, weights);
}

async function start() {
  const given = Object.fromEntries(new FormData($("form")));
  const of = (group) => Object.fromEntries(Object.entries(given).filter(([key]) => key.startsWith(`${group}:`)).map(([key, v]) => [key.slice(group.length + 1), v]));
  $("results").textContent = "running ...";
  $("results").className = "";
  try {
    if (!state.fine) throw new Error("the spec has errors");
    const dims = {};
    for (const [name, value] of Object.entries(of("size"))) {
      dims[name] = Number(value);
      if (!Number.isInteger(dims[name]) || dims[name] < 1) throw new Error(`the size ${name} is to be a positive integer`);
    }
    const seed = Number(given["seed:seed"]);
    if (!Number.isInteger(seed) || seed < 0) throw new Error("the seed is to be an integer from 0 on");
    const known = new Set(state.answer.parameters.map(({ name }) => name));
    const weights = {};
    for (const [name, value] of Object.entries(of("weight"))) if (value.trim() && known.has(name)) weights[name] = numbersOf(value);
    const bytes = await about("onnx", { seed, weights });
    state.bytes = bytes;
    $("download").hidden = false;
    const results = await run(bytes.slice(), state.answer.inputs, of("input"), dims);
    $("results").textContent = results.map(written).join("\n\n");
  } catch (error) {
    $("results").textContent = error.message;
    $("results").className = "error";
  }
}

function choose(tab) {
  for (const one of document.querySelectorAll("[role=tab]")) {
    const chosen = one.dataset.tab === tab;
    one.setAttribute("aria-selected", String(chosen));
    one.tabIndex = chosen ? 0 : -1;
    $(one.dataset.tab).hidden = !chosen;
  }
  refresh();
}

function write(words) {
  editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: words } });
}

function wait(ms) {
  let timer;
  return (then) => {
    clearTimeout(timer);
    timer = setTimeout(then, ms);
  };
}

async function begin() {
  const lessons = await (await fetch("./lessons.json")).json();
  const soon = wait(30);
  const words = await ask("words");
  editor = makeEditor($("editor"), words, about, () => soon(check));
  $("editor").classList.remove("loading");
  const groups = Map.groupBy ? Map.groupBy(lessons, ({ group }) => group) : new Map([["examples", lessons]]);
  for (const [name, members] of groups) {
    const group = document.createElement("optgroup");
    group.label = name;
    group.append(...members.map((lesson) => new Option(lesson.title, String(lessons.indexOf(lesson)))));
    $("lessons").append(group);
  }
  const open = (lesson) => {
    state.lesson = lesson;
    state.model = lesson.model ?? null;
    $("about").textContent = lesson.about ?? "";
    $("fields").replaceChildren();
    write(lesson.text);
  };
  $("lessons").onchange = () => open(lessons[Number($("lessons").value)]);
  $("model").onchange = () => {
    state.model = $("model").value;
    check();
  };
  for (const one of document.querySelectorAll("[role=tab]")) one.onclick = () => choose(one.dataset.tab);
  document.querySelector("[role=tablist]").onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const tabs = [...document.querySelectorAll("[role=tab]")];
    const at = tabs.indexOf(document.activeElement);
    if (step && at >= 0) {
      const next = tabs[(at + step + tabs.length) % tabs.length];
      next.focus();
      choose(next.dataset.tab);
    }
  };
  $("form").onsubmit = (event) => {
    event.preventDefault();
    start();
  };
  $("link").onclick = async () => {
    await navigator.clipboard?.writeText(location.href);
    $("link").textContent = "copied";
    setTimeout(() => ($("link").textContent = "copy link"), 1500);
  };
  $("download").onclick = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([state.bytes]));
    link.download = "spec.onnx";
    link.click();
    URL.revokeObjectURL(link.href);
  };
  window.netcWrite = write;
  let shared = null;
  try {
    shared = location.hash.length > 1 ? await decode(location.hash.slice(1)) : null;
  } catch {
    report("the address holds no spec", "error");
  }
  if (shared === null) open(lessons[0]);
  else {
    const own = new Option("from the address", "", true, true);
    own.disabled = true;
    $("lessons").prepend(own);
    write(shared);
  }
  await loadRuntime();
  document.body.dataset.loaded = "true";
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("./offline.js").catch(() => {});
}

begin().catch((error) => report(`the page cannot start: ${error.message}`, "error"));
