--- Pinned text: what a rewrite or a fill should leave as it is.
---
--- Pins are marks in the buffer, so they move with the text; one that is read again from its file is
--- another text, and has none. They are sent with each request; whether a rewrite kept them is
--- checked in the preview, since a server may not know them.

local M = {}
local api = vim.api
local namespace = api.nvim_create_namespace("diffill.pins")

---@class diffill.Range
---@field [1] integer first row
---@field [2] integer first column
---@field [3] integer last row
---@field [4] integer column after the last byte

---@param buf integer
---@return diffill.Range[]
function M.all(buf)
  local ranges = {}
  for _, mark in ipairs(api.nvim_buf_get_extmarks(buf, namespace, 0, -1, { details = true })) do
    local row, col, details = mark[2], mark[3], mark[4]
    if not details.invalid and (details.end_row > row or details.end_col > col) then
      ranges[#ranges + 1] = { row, col, details.end_row, details.end_col }
    end
  end
  return ranges
end

--- Pin a range; a range that is pinned already is let go.
---@param buf integer
---@param range diffill.Range
---@return boolean whether it is pinned now
function M.toggle(buf, range)
  for _, mark in ipairs(api.nvim_buf_get_extmarks(buf, namespace, 0, -1, { details = true })) do
    local same = mark[2] == range[1] and mark[3] == range[2]
    if same and mark[4].end_row == range[3] and mark[4].end_col == range[4] then
      api.nvim_buf_del_extmark(buf, namespace, mark[1])
      return false
    end
  end
  api.nvim_buf_set_extmark(buf, namespace, range[1], range[2], {
    end_row = range[3],
    end_col = range[4],
    hl_group = "DiffillPinned",
    invalidate = true,
    undo_restore = true,
  })
  return true
end

---@param buf integer
function M.clear(buf)
  api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
end

-- A buffer that is read again: Neovim leaves the marks where they stood.
api.nvim_create_autocmd("BufReadPost", {
  group = api.nvim_create_augroup("diffill.pins", {}),
  callback = function(event)
    M.clear(event.buf)
  end,
})

--- The pins inside a range; only these mean something to a request for it.
---@param buf integer
---@param range diffill.Range
---@return diffill.Range[]
function M.inside(buf, range)
  return vim.tbl_filter(function(pin)
    local after = pin[1] > range[1] or (pin[1] == range[1] and pin[2] >= range[2])
    local before = pin[3] < range[3] or (pin[3] == range[3] and pin[4] <= range[4])
    return after and before
  end, M.all(buf))
end

--- The texts that are pinned inside a range.
---@param buf integer
---@param range diffill.Range
---@return string[]
function M.texts(buf, range)
  return vim.tbl_map(function(pin)
    return table.concat(api.nvim_buf_get_text(buf, pin[1], pin[2], pin[3], pin[4], {}), "\n")
  end, M.inside(buf, range))
end

return M
