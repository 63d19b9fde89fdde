-- netc in Neovim 0.10 or later: copy this file to ~/.config/nvim/plugin/net.lua. `netc` must be on the path.
vim.filetype.add({ extension = { net = "net" } })

vim.api.nvim_create_autocmd("FileType", {
  pattern = "net",
  callback = function(event)
    vim.bo[event.buf].commentstring = "# %s"
    vim.bo[event.buf].shiftwidth = 2
    vim.bo[event.buf].expandtab = true
    local client = vim.lsp.start({
      name = "netc",
      cmd = { "netc", "lsp", "--stdio" },
      root_dir = vim.fs.root(event.buf, { ".git" }) or vim.fs.dirname(vim.api.nvim_buf_get_name(event.buf)),
    })
    if client then
      vim.lsp.inlay_hint.enable(true, { bufnr = event.buf })
    end
  end,
})
