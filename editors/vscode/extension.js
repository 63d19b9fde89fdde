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
    explain([command, ...args].join(" "), error.message ?? error); // it may be a text
  }
};

// A message with a button stays until it is read.
async function explain(line, why) {
  const how = "The server needs `pip install pygls lsprotocol`. If netc is in a virtual environment, set netc.command to its full path.";
  if (await vscode.window.showErrorMessage(`netc: cannot start \`${line}\`: ${why}. ${how}`, "Open Settings")) {
    vscode.commands.executeCommand("workbench.action.openSettings", "netc.command");
  }
}

exports.deactivate = () => client?.stop();
