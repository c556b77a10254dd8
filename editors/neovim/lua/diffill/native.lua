--- Ghost text by Neovim itself: `vim.lsp.inline_completion`, which 0.12 has.
---
--- Neovim asks (200 ms after the last key) and draws; what it lacks is added here: accepting a
--- word or a line, one undo step, and an item that still fits what was typed in the meantime.
--- Invariants: only public functions of Neovim are called; an item of another server is never lost.

local client_of = require("diffill.client")
local edit = require("diffill.edit")

local M = {}

---@param buf integer
function M.attach(buf)
  -- Switched on before the server came, 0.12-dev does not follow it, and enabling again does
  -- nothing: so off first.
  vim.lsp.inline_completion.enable(false, { bufnr = buf })
  vim.lsp.inline_completion.enable(true, { bufnr = buf })
end

--- The range of an item in bytes. Its fields were renamed while 0.12 was made.
---@param item vim.lsp.inline_completion.Item
---@return diffill.Range
local function range_of(item)
  local range = item.range
  if not range then
    local row, col = unpack(vim.api.nvim_win_get_cursor(0))
    return { row - 1, col, row - 1, col }
  elseif range.start_row then
    return { range.start_row, range.start_col, range.end_row, range.end_col }
  end
  local stop = range.end_
  return { range.start.row, range.start.col, stop.row, stop.col }
end

--- How an item completes the cursor's line. Ours is what its row becomes; of another server's that
--- is made here, what was typed along it since it was asked for being part of it.
---@param item vim.lsp.inline_completion.Item
---@param ours boolean
---@return diffill.Plan?
local function plan_of(item, ours)
  local range, text = range_of(item), item.insert_text
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local line = vim.api.nvim_get_current_line()
  if type(text) ~= "string" or (not ours and range[3] ~= row - 1) then
    return nil
  end
  text = edit.text(text)
  if not ours then
    text = line:sub(1, range[2]) .. text .. line:sub(math.max(range[4], col) + 1):gsub("\r$", "")
  end
  return edit.plan({ row = range[1], text = text }, line, row - 1, col)
end

--- Take an item of another server as Neovim does, where it is not about the cursor's line alone.
---@param item vim.lsp.inline_completion.Item
local function take(item)
  local text, range = item.insert_text, range_of(item)
  if type(text) ~= "string" then
    vim.snippet.expand(text.value)
    return
  end
  local lines = vim.split(text, "\n", { plain = true })
  vim.api.nvim_buf_set_text(0, range[1], range[2], range[3], range[4], lines)
  local last = #lines[#lines] + (#lines == 1 and range[2] or 0)
  vim.api.nvim_win_set_cursor(0, { range[1] + #lines, last })
end

---@param unit "all"|"line"|"word"
---@return boolean
function M.accept(unit)
  -- In Replace mode backspace would put back what was never overwritten.
  if not vim.bo.modifiable or vim.api.nvim_get_mode().mode:match("^R") then
    return false
  end
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      local client = vim.lsp.get_client_by_id(item.client_id)
      local ours = client ~= nil and client.name == client_of.name
      local plan = plan_of(item, ours)
      local part = plan and edit.part(plan, unit)
      local buf = vim.api.nvim_get_current_buf()
      local function taken()
        if client and item.command then
          client:exec_cmd(item.command, { bufnr = buf })
        end
      end
      if part then
        edit.apply(part, part == plan and taken or nil)
      elseif not ours then
        take(item)
        taken()
      end
    end,
  })
end

---@param step integer
---@return boolean whether an item is shown
function M.select(step)
  vim.lsp.inline_completion.select({ count = step })
  -- Neovim does not say whether there is one.
  local namespace = vim.api.nvim_create_namespace("nvim.lsp.inline_completion")
  return #vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { limit = 1 }) > 0
end

--- Take away what Neovim shows in a buffer, if it can only be ours.
---@param buf integer
function M.forget(buf)
  local shows = vim.lsp.inline_completion and vim.lsp.inline_completion.is_enabled({ bufnr = buf })
  local offer = vim.lsp.get_clients({ bufnr = buf, method = "textDocument/inlineCompletion" })
  if shows and #offer == 1 then
    vim.lsp.inline_completion.get({ bufnr = buf, on_accept = function() end })
  end
end

---@return boolean
function M.dismiss()
  return vim.lsp.inline_completion.get({ on_accept = function() end })
end

return M
