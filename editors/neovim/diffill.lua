-- Diffill for Neovim 0.11 and newer: put this at ~/.config/nvim/lsp/diffill.lua and call
-- vim.lsp.enable("diffill") in init.lua.

---@type vim.lsp.Config
return {
  cmd = { "diffill", "serve" },
  filetypes = {
    "python",
    "javascript",
    "javascriptreact",
    "typescript",
    "typescriptreact",
    "go",
    "rust",
    "java",
    "c",
    "cpp",
  },
  root_markers = { ".git" },
  -- Every key is in docs/configuration.md; these are the defaults.
  settings = {
    diffill = {
      inline = { trigger = "auto", alternatives = 3 },
    },
  },
}
