-- Neovim as its user sees it: run by test_editors.py in a folder with mlp.net. The first failure ends it with its message.
local text = { "let width = 2", "x = input 3", "h = x -> dense width sigmoid", "h -> dens 1" }
local function until_true(what, check)
  if not vim.wait(20000, check, 20) then
    io.stderr:write("not seen: " .. what .. "\n")
    vim.cmd("cq!")
  end
end
local function lines()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
end
local function params()
  return vim.lsp.util.make_position_params(0, "utf-16")
end
vim.fn.writefile(text, "mlp.net")
vim.cmd("edit mlp.net")
until_true("the client", function() return #vim.lsp.get_clients({ bufnr = 0 }) == 1 end)
local client = vim.lsp.get_clients({ bufnr = 0 })[1]
until_true("initialization", function() return client.initialized end)
until_true("the diagnostic", function()
  local found = vim.diagnostic.get(0)
  return #found == 1 and found[1].code == "unknown-operator" and found[1].lnum == 3
end)
vim.api.nvim_win_set_cursor(0, { 4, 6 })
vim.lsp.buf.code_action({ apply = true, filter = function(action) return action.title:find("dense") ~= nil end })
until_true("the code action", function() return lines():find("h %-> dense 1") ~= nil end)
until_true("no diagnostic", function() return #vim.diagnostic.get(0) == 0 end)
until_true("the hints", function()
  local shown = {}
  for _, one in ipairs(vim.lsp.inlay_hint.get({ bufnr = 0 })) do
    table.insert(shown, one.inlay_hint.label)
  end
  return table.concat(shown, " ") == "# [N, 3] # [N, 2] # [N, 1]"
end)
vim.api.nvim_win_set_cursor(0, { 3, 10 })
local hover = client.request_sync("textDocument/hover", params(), 5000, 0)
if not (hover and hover.result and hover.result.contents.value:find("gives `%[N, 2%]`")) then
  io.stderr:write("not seen: hover\n")
  vim.cmd("cq!")
end
vim.api.nvim_win_set_cursor(0, { 3, 16 })
vim.lsp.buf.rename("units")
until_true("the rename", function() return lines():find("let units = 2") ~= nil and lines():find("dense units") ~= nil end)
vim.api.nvim_win_set_cursor(0, { 3, 16 })
vim.lsp.buf.definition()
until_true("the definition", function() return vim.api.nvim_win_get_cursor(0)[1] == 1 end)
vim.api.nvim_buf_set_lines(0, 3, 4, false, { "h   ->    dense 1" })
vim.lsp.buf.format({ async = false, timeout_ms = 5000 })
until_true("the layout", function() return lines():find("\nh %-> dense 1") ~= nil end)
vim.api.nvim_buf_set_lines(0, 3, 4, false, { "h -> layer_no" })
vim.api.nvim_win_set_cursor(0, { 4, 13 })
local completion = client.request_sync("textDocument/completion", vim.tbl_extend("force", params(), { position = { line = 3, character = 13 } }), 5000, 0)
local labels = {}
for _, item in ipairs(completion.result.items) do
  labels[item.label] = true
end
if not labels["layer_norm"] then
  io.stderr:write("not seen: completion\n")
  vim.cmd("cq!")
end
print("all was seen")
vim.cmd("qa!")
