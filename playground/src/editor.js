// The editor: colors, errors with their fixes, shapes at the ends of lines, completion and hover, all answered by netc.
import { autocompletion } from "@codemirror/autocomplete";
import { indentWithTab } from "@codemirror/commands";
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { setDiagnostics } from "@codemirror/lint";
import { StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, hoverTooltip, keymap, WidgetType } from "@codemirror/view";
import { basicSetup } from "codemirror";
import { tags } from "@lezer/highlight";

const setHints = StateEffect.define();

class Hint extends WidgetType {
  constructor(text, whole) {
    super();
    this.text = text;
    this.whole = whole;
  }
  eq(other) {
    return other.text === this.text;
  }
  toDOM() {
    const made = document.createElement("span");
    made.className = "hint";
    made.textContent = "  " + this.text;
    if (this.whole) made.title = this.whole;
    return made;
  }
}

const hintField = StateField.define({
  create: () => Decoration.none,
  update(shown, transaction) {
    for (const effect of transaction.effects)
      if (effect.is(setHints))
        return Decoration.set(
          effect.value
            .filter(({ at }) => at <= transaction.newDoc.length)
            .map(({ at, text, whole }) => Decoration.widget({ widget: new Hint(text, whole), side: 1 }).range(at)),
          true,
        );
    return shown.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

function language({ keywords, operators, types }) {
  const kinds = new Map([
    ...operators.map((word) => [word, "standard"]),
    ...types.map((word) => [word, "type"]),
    ...keywords.map((word) => [word, "keyword"]),
  ]);
  return StreamLanguage.define({
    languageData: { commentTokens: { line: "#" }, closeBrackets: { brackets: ["(", "[", "{", '"'] } },
    tokenTable: { standard: tags.standard(tags.name), label: tags.labelName, attribute: tags.attributeName },
    token(stream) {
      if (stream.eatSpace()) return null;
      if (stream.match(/^#.*/)) return "comment";
      if (stream.match(/^"[^"]*"?/)) return "string";
      if (stream.match(/^\d+(x(\d+|[A-Z][A-Z0-9_]*))+\b/) || stream.match(/^\d[\d_]*(\.\d+)?([eE][+-]?\d+)?/)) return "number";
      if (stream.match(/^as\b/)) return "keyword";
      const word = stream.match(/^[A-Za-z_]\w*/);
      if (word) return kinds.get(word[0]) ?? (stream.match(/^=(?!=)/, false) ? "attribute" : "variable");
      if (stream.match(/^->|^\.\.\.?|^[-+*/%@<>=!]+/)) return "operator";
      stream.next();
      return null;
    },
  });
}

const colors = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--keyword)", fontWeight: "600" },
  { tag: tags.standard(tags.name), color: "var(--operator)" },
  { tag: tags.typeName, color: "var(--type)" },
  { tag: tags.number, color: "var(--number)" },
  { tag: tags.string, color: "var(--string)" },
  { tag: tags.comment, color: "var(--faint)", fontStyle: "italic" },
  { tag: tags.attributeName, color: "var(--attribute)" },
]);

export function makeEditor(parent, words, ask, changed) {
  const complete = async (context) => {
    const found = await ask("complete", { offset: offsetOf(context.state, context.pos) });
    if (found.length === 0 || (!context.explicit && !context.matchBefore(/[\w."/=]+$/))) return null;
    const start = positionOf(context.state, found[0].start);
    return {
      from: start,
      options: found.filter((one) => one.start === found[0].start).map(({ label, detail, insert }) => ({ label, detail, apply: insert })),
      validFor: /^\w*$/,
    };
  };
  const tip = hoverTooltip(async (view, at) => {
    const found = await ask("hover", { offset: offsetOf(view.state, at) });
    if (found === null) return null;
    return {
      pos: positionOf(view.state, found.from),
      create() {
        const dom = document.createElement("pre");
        dom.className = "hover";
        dom.textContent = found.text;
        return { dom };
      },
    };
  });
  return new EditorView({
    parent,
    extensions: [
      basicSetup,
      keymap.of([indentWithTab]),
      language(words),
      syntaxHighlighting(colors),
      hintField,
      autocompletion({ override: [complete] }),
      tip,
      EditorView.contentAttributes.of({ "aria-label": "The spec" }),
      EditorView.updateListener.of((update) => update.docChanged && changed()),
    ],
  });
}

export function show(view, { diagnostics, hints }) {
  const { state } = view;
  const place = (offset) => Math.min(positionOf(state, offset), state.doc.length);
  const marks = diagnostics.map((one) => ({
    from: place(one.from),
    to: place(one.to),
    severity: one.severity === "error" ? "error" : "warning",
    message: [one.message, ...one.help.map((text) => `help: ${text}`)].join("\n"),
    actions: one.edits.length === 0 ? [] : [{ name: "fix", apply: (target) => fix(target, one.edits) }],
  }));
  view.dispatch(setDiagnostics(state, marks));
  view.dispatch({ effects: setHints.of(hints.map((one) => ({ ...one, at: place(one.at) }))) });
}

function fix(view, edits) {
  view.dispatch({
    changes: edits.map(({ from, to, insert }) => ({ from: positionOf(view.state, from), to: positionOf(view.state, to), insert })),
  });
}

// netc counts characters, the editor UTF-16 units.
function positionOf(state, offset) {
  const text = state.doc.toString();
  let at = 0;
  for (let n = 0; n < offset && at < text.length; n += 1) at += text.codePointAt(at) > 0xffff ? 2 : 1;
  return at;
}

function offsetOf(state, position) {
  return Array.from(state.doc.sliceString(0, position)).length;
}
