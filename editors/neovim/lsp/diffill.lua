--- Neovim's description of the server: `vim.lsp.enable("diffill")` uses it, with or without
--- `require("diffill").setup()`.

local client = require("diffill.client")
local options = require("diffill.options")

---@type vim.lsp.Config
return {
  cmd = options.cmd(),
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
  -- A function, so that a command that cannot be run is told once, with the fix.
  root_dir = function(buf, on_dir)
    if client.can_start() then
      on_dir(vim.fs.root(buf, { ".git" }))
    end
  end,
  capabilities = client.capabilities(),
  settings = options.settings(),
  on_init = client.on_init,
  on_exit = client.on_exit,
  handlers = {
    ["diffill/statusDidChange"] = function(_, status)
      require("diffill.status").changed(status)
    end,
    ["diffill/train/progress"] = function(_, progress)
      require("diffill.train").progress(progress)
    end,
  },
}
