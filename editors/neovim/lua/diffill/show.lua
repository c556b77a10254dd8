--- A few lines of text in a window of their own: float or split, closed with q.
---
--- Invariant: the keys belong to the window's own buffer, none of the user's is taken.

local M = {}
local api = vim.api

---@class diffill.Window
---@field buf integer
---@field window integer

---@param lines string[]
local function size(lines)
  local width = 20
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line))
  end
  return math.min(width, math.max(vim.o.columns - 4, 20)), math.min(#lines, math.max(vim.o.lines - 6, 1))
end

--- Put other lines into an open window, sized anew.
---@param shown diffill.Window
---@param title string
---@param lines string[]
function M.update(shown, title, lines)
  vim.bo[shown.buf].modifiable = true
  api.nvim_buf_set_lines(shown.buf, 0, -1, true, lines)
  vim.bo[shown.buf].modifiable = false
  if api.nvim_win_get_config(shown.window).relative ~= "" then
    local width, height = size(lines)
    width = math.min(math.max(width, vim.fn.strdisplaywidth(title) + 2), math.max(vim.o.columns - 4, 20))
    api.nvim_win_set_config(shown.window, { width = width, height = height, title = title })
  else
    vim.wo[shown.window].statusline = title:gsub("%%", "%%%%")
  end
end

---@param title string
---@param lines string[]
---@param kind? "float"|"split"
---@return diffill.Window
function M.open(title, lines, kind)
  local buf = api.nvim_create_buf(false, true)
  vim.bo[buf].bufhidden = "wipe"
  api.nvim_buf_set_name(buf, ("diffill://%s/%d"):format(title:match("^%S+"), buf))
  local width, height = size(lines)
  local window
  if kind == "split" then
    window = api.nvim_open_win(buf, true, { split = "below", height = height })
  else
    window = api.nvim_open_win(buf, true, {
      relative = "cursor",
      row = 1,
      col = 0,
      width = width,
      height = height,
      style = "minimal",
      border = "rounded",
      title = title,
    })
  end
  local shown = { buf = buf, window = window }
  M.update(shown, title, lines)
  for _, key in ipairs({ "q", "<Esc>" }) do
    vim.keymap.set("n", key, function()
      M.close(shown)
    end, { buffer = buf, nowait = true, desc = "Close" })
  end
  return shown
end

---@param shown diffill.Window
function M.close(shown)
  if api.nvim_win_is_valid(shown.window) then
    api.nvim_win_close(shown.window, true)
  end
end

--- Open a window with some lines to read.
---@param title string
---@param lines string[]
function M.lines(title, lines)
  return M.open("diffill " .. title, lines)
end

return M
