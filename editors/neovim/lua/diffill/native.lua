--- Ghost text by Neovim itself: `vim.lsp.inline_completion`, which 0.12 has.
---
--- Neovim asks (200 ms after the last key) and draws; what it lacks is added here: accepting a
--- word or a line, one undo step, and an item that still fits what was typed in the meantime.
--- Invariant: only public functions of Neovim are called.

local edit = require("diffill.edit")

local M = {}

---@param buf integer
function M.attach(buf)
  -- Switched on before the server came, 0.12-dev does not follow it, and enabling again does
  -- nothing: so off first.
  vim.lsp.inline_completion.enable(false, { bufnr = buf })
  vim.lsp.inline_completion.enable(true, { bufnr = buf })
end

---@param buf integer
function M.detach(buf)
  vim.lsp.inline_completion.enable(false, { bufnr = buf })
end

--- The row of an item's range, whose fields were renamed while 0.12 was made.
local function row_of(item)
  local range = item.range
  if not range then
    return vim.api.nvim_win_get_cursor(0)[1] - 1
  end
  return range.start_row or range.start.row
end

---@param unit "all"|"line"|"word"
---@return boolean
function M.accept(unit)
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      if type(item.insert_text) ~= "string" then
        return -- a snippet: none of ours
      end
      local row, col = unpack(vim.api.nvim_win_get_cursor(0))
      local line = vim.api.nvim_get_current_line()
      local plan = edit.plan({ row = row_of(item), text = edit.text(item.insert_text) }, line, row - 1, col)
      if plan then
        edit.apply(edit.part(plan, unit))
      end
    end,
  })
end

---@param step integer
---@return boolean
function M.select(step)
  vim.lsp.inline_completion.select({ count = step })
  return true
end

---@return boolean
function M.dismiss()
  return vim.lsp.inline_completion.get({ on_accept = function() end })
end

return M
