--- Neovim's description of the server: `vim.lsp.enable("diffill")` uses it, with or without
--- `require("diffill").setup()`.

local client = require("diffill.client")
local life = require("diffill.life")
local options = require("diffill.options")
local roots = require("diffill.roots")

---@type vim.lsp.Config
return {
  cmd = options.default_cmd(),
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
  reuse_client = roots.reuse,
  before_init = client.before_init,
  settings = { diffill = vim.empty_dict() },
  on_init = life.on_init,
  on_exit = life.on_exit,
  handlers = {
    ["$/progress"] = function(err, progress, context)
      local client = vim.lsp.get_client_by_id(context.client_id)
      if client and not require("diffill.drafts").take(progress, client) then
        vim.lsp.handlers["$/progress"](err, progress, context)
      end
    end,
    ["diffill/statusDidChange"] = function(_, status, context)
      require("diffill.status").changed(status, context.client_id)
    end,
    ["diffill/train/progress"] = function(_, progress, context)
      require("diffill.train").progress(progress, context.client_id)
    end,
  },
}
