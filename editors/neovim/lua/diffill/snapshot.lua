--- A buffer's text at one time, to find out whether it is still the same.
---
--- Saving is no change, though it moves `changedtick`.

local M = {}
local api = vim.api

---@class diffill.Snapshot
---@field buf integer
---@field tick integer
---@field lines string[]

---@param buf integer
---@return diffill.Snapshot
function M.take(buf)
  return {
    buf = buf,
    tick = api.nvim_buf_get_changedtick(buf),
    lines = api.nvim_buf_get_lines(buf, 0, -1, true),
  }
end

--- Whether the buffer has this text.
---@param one diffill.Snapshot
---@return boolean
function M.holds(one)
  if not api.nvim_buf_is_loaded(one.buf) then
    return false
  end
  return api.nvim_buf_get_changedtick(one.buf) == one.tick
    or vim.deep_equal(api.nvim_buf_get_lines(one.buf, 0, -1, true), one.lines)
end

return M
