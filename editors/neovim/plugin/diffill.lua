--- What is there as soon as the plugin is on the runtime path: the command, the `<Plug>` keys, the
--- highlight groups, and the server for the languages it knows. No key of the user's is mapped.

if vim.g.loaded_diffill then
  return
end
vim.g.loaded_diffill = true

if vim.fn.has("nvim-0.11") == 0 then
  vim.notify("Diffill needs Neovim 0.11 or newer", vim.log.levels.ERROR)
  return
end

local function highlight(name, link)
  vim.api.nvim_set_hl(0, name, { link = link, default = true })
end
highlight("DiffillGhost", vim.fn.hlexists("ComplHint") == 1 and "ComplHint" or "NonText")
highlight("DiffillGhostCount", vim.fn.hlexists("ComplHintMore") == 1 and "ComplHintMore" or "MoreMsg")
highlight("DiffillGhostUnsure", "DiagnosticHint")
highlight("DiffillGhostDoubtful", "DiagnosticWarn")
highlight("DiffillDraft", "DiffillGhost")
highlight("DiffillReplaced", "DiffDelete")
highlight("DiffillPinned", "Underlined")

vim.api.nvim_create_user_command("Diffill", function(command)
  require("diffill.commands").run(command)
end, {
  nargs = "*",
  range = true,
  desc = "Diffill",
  complete = function(lead, line)
    return require("diffill.commands").complete(lead, line)
  end,
})

for name, call in pairs({
  accept = "accept()",
  ["accept-word"] = "accept('word')",
  ["accept-line"] = "accept('line')",
  next = "next()",
  previous = "previous()",
  dismiss = "dismiss()",
  trigger = "trigger()",
}) do
  vim.keymap.set("i", ("<Plug>(diffill-%s)"):format(name), ("<Cmd>lua require('diffill').%s<CR>"):format(call))
end
vim.keymap.set({ "n", "x" }, "<Plug>(diffill-rewrite)", ":Diffill rewrite<CR>", { silent = true })
vim.keymap.set("n", "<Plug>(diffill-fill)", "<Cmd>Diffill fill<CR>")
vim.keymap.set("x", "<Plug>(diffill-fill)", ":Diffill fill<CR>", { silent = true })
vim.keymap.set("n", "<Plug>(diffill-bridge)", "<Cmd>Diffill bridge<CR>")
vim.keymap.set("n", "<Plug>(diffill-comment)", "<Cmd>Diffill comment<CR>")
vim.keymap.set({ "n", "x" }, "<Plug>(diffill-pin)", ":Diffill pin<CR>", { silent = true })

local group = vim.api.nvim_create_augroup("diffill", {})
for event, action in pairs({ LspAttach = "attach", LspDetach = "detach" }) do
  vim.api.nvim_create_autocmd(event, {
    group = group,
    callback = function(args)
      local client = vim.lsp.get_client_by_id(args.data.client_id)
      if client and client.name == "diffill" then
        require("diffill")[action](args.buf)
        if action == "attach" then
          require("diffill.nameless").attached(args.buf, client)
        end
      end
    end,
  })
end

-- Neovim tells of no new name when an unnamed buffer is written for the first time: it is deleted,
-- and added again.
vim.api.nvim_create_autocmd({ "BufFilePre", "BufDelete" }, {
  group = group,
  callback = function(args)
    if args.event == "BufFilePre" or vim.api.nvim_buf_get_name(args.buf) == "" then
      require("diffill.client").renaming(args.buf)
    end
  end,
})

-- A session that was made with a window of ours open brings that back as an empty buffer of its name.
vim.api.nvim_create_autocmd("BufFilePost", {
  group = group,
  pattern = "diffill://*",
  callback = function(args)
    if vim.bo[args.buf].buftype == "" then
      require("diffill.show").forget(args.buf)
    end
  end,
})

-- When everything is read, so that `setup` may stand before or after this file.
local function start()
  if vim.g.diffill_enable ~= false then
    vim.lsp.enable("diffill")
  end
  local function check(buf)
    require("diffill.client").check_command(buf)
  end
  vim.api.nvim_create_autocmd("FileType", {
    group = group,
    callback = function(args)
      check(args.buf)
    end,
  })
  vim.iter(vim.api.nvim_list_bufs()):filter(vim.api.nvim_buf_is_loaded):each(check)
end
if vim.v.vim_did_enter == 1 then
  vim.schedule(start)
else
  vim.api.nvim_create_autocmd("VimEnter", { group = group, once = true, callback = start })
end
