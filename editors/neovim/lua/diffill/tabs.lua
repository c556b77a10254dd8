--- Tabs in virtual text, where Neovim would draw them as ^I: spaces up to the next stop.

local M = {}

---@param text string one line
---@param column integer where it begins on the screen
---@param buf? integer whose tab stops; the current one's
---@return string
function M.spaced(text, column, buf)
  local tab, width = vim.bo[buf or 0].tabstop, column
  return (text:gsub("[^\t]*\t?", function(piece)
    local body = piece:gsub("\t", "")
    width = width + vim.fn.strdisplaywidth(body)
    local fill = body == piece and 0 or tab - width % tab
    width = width + fill
    return body .. (" "):rep(fill)
  end))
end

return M
