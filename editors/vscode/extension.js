// Starts `netc lsp` for .net files. Everything else is the server's.
const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = async () => {
  const [command, ...args] = vscode.workspace.getConfiguration("netc").get("command");
  client = new LanguageClient(
    "netc",
    "netc",
    { command, args },
    { documentSelector: [{ language: "net" }] },
  );
  try {
    await client.start();
  } catch (error) {
    vscode.window.showErrorMessage(`netc: cannot start \`${[command, ...args].join(" ")}\`: \`pip install netc[lsp]\` installs it. ${error.message}`);
  }
};

exports.deactivate = () => client?.stop();
