--- Tabs in virtual text, where Neovim would draw them as ^I: spaces up to the next stop.

local M = {}

--- The spaces from a column to the next stop, where 'vartabstop' sets it or 'tabstop' does.
---@param column integer
---@param buf integer
---@return integer
local function to_next_stop(column, buf)
  local stop, tab = 0, vim.bo[buf].tabstop
  for width in vim.bo[buf].vartabstop:gmatch("%d+") do
    tab = tonumber(width) --[[@as integer]]
    stop = stop + tab
    if column < stop then
      return stop - column
    end
  end
  return tab - (column - stop) % tab
end

---@param text string one line
---@param column integer where it begins on the screen
---@param buf? integer whose tab stops; the current one's
---@return string
function M.spaced(text, column, buf)
  local width = column
  return (text:gsub("[^\t]*\t?", function(piece)
    local body = piece:gsub("\t", "")
    width = width + vim.fn.strdisplaywidth(body)
    local fill = body == piece and 0 or to_next_stop(width, buf or 0)
    width = width + fill
    return body .. (" "):rep(fill)
  end))
end

return M
