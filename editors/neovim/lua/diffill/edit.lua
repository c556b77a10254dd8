--- What accepting an inline item does to a line, in full or in part, and the doing of it.
---
--- The server's items replace a whole line (docs/lsp-extensions.md), so an item is a row and the
--- text that the row becomes. It fits while what stands before the cursor still begins that text;
--- whatever was typed along it since it was asked for is thus taken in, never left behind.
--- Invariants: `plan` and `part` change nothing; `apply` is one undo step, in the line that was
--- planned for or not at all; no character is split.

local M = {}

---@class diffill.Item
---@field row integer 0-based
---@field text string what the row becomes, line feeds between lines
---@field dropped? integer bytes that stood before that text when it was offered
---@field shades? diffill.Shade[] by the bytes of the text that was offered

---@class diffill.Plan
---@field row integer
---@field col integer the cursor, in bytes
---@field insert string goes in at the cursor
---@field replaced string the bytes after the cursor that it takes the place of
---@field after string what stays to the right of both

--- What waits for its keys, taken by `run_pending`.
local pending ---@type fun()?

---@param text string
---@param index integer 0-based byte offset
---@return boolean
local function inside_character(text, index)
  local byte = text:byte(index + 1)
  return byte ~= nil and byte >= 0x80 and byte < 0xC0
end

---@param a string
---@param b string
---@return integer bytes of the longest common end, whole characters
local function common_end(a, b)
  local n, most = 0, math.min(#a, #b)
  while n < most and a:byte(#a - n) == b:byte(#b - n) do
    n = n + 1
  end
  while n > 0 and inside_character(a, #a - n) do
    n = n - 1
  end
  return n
end

--- Text as a buffer holds it: the line ends of the file are not in it. Where these differ, a buffer
--- shows the CR of those that have one, as ^M; so do lines that are written into such a line.
---@param text string
---@param line? string where it goes
---@return string
function M.text(text, line)
  local plain = text:gsub("\r\n", "\n")
  return line and vim.endswith(line, "\r") and (plain:gsub("\n", "\r\n")) or plain
end

--- How an item completes a line from the cursor on; nil where it does not fit, or adds nothing. The CR
--- at the end of a line that shows it belongs to the line end, which stays.
---@param item diffill.Item
---@param line string
---@param row integer
---@param col integer
---@return diffill.Plan?
function M.plan(item, line, row, col)
  local before, after = line:sub(1, col), line:sub(col + 1):gsub("\r$", "")
  if item.row ~= row or not vim.startswith(item.text, before) then
    return nil
  end
  local rest = item.text:sub(col + 1)
  local kept = common_end(rest, after)
  local plan = {
    row = row,
    col = col,
    insert = rest:sub(1, #rest - kept),
    replaced = after:sub(1, #after - kept),
    after = after:sub(#after - kept + 1),
  }
  if plan.insert == "" and plan.replaced == "" then
    return nil
  end
  return plan
end

--- The bytes of a text up to the end of its first word, white space before it included.
---@param text string
---@return integer
local function word_length(text)
  local _, last = text:find("^%s*[%w_\128-\255]+")
  if not last then
    _, last = text:find("^%s*[^%s%w_\128-\255]+")
  end
  return last or #text
end

--- The bytes of a text up to the end of its first line; where the cursor is at that end already,
--- of the next one.
---@param text string
---@return integer
local function line_length(text)
  local at = text:find("\n", vim.startswith(text, "\n") and 2 or 1, true)
  return at and at - 1 or #text
end

--- The part of a plan that accepting a unit does.
---@param plan diffill.Plan
---@param unit "all"|"line"|"word"
---@return diffill.Plan
function M.part(plan, unit)
  local length = #plan.insert
  if unit == "word" then
    length = word_length(plan.insert)
  elseif unit == "line" then
    length = line_length(plan.insert)
  end
  if length >= #plan.insert then
    return plan
  end
  local part = vim.deepcopy(plan)
  part.insert = plan.insert:sub(1, length)
  part.after = plan.replaced .. plan.after
  part.replaced = ""
  return part
end

--- The item seen from the cursor's row after a part of it was accepted.
---@param item diffill.Item
---@param plan diffill.Plan what was accepted
---@return diffill.Item
function M.rest(item, plan)
  local _, lines = plan.insert:gsub("\n", "")
  local text = item.text
  for _ = 1, lines do
    text = text:sub((text:find("\n", 1, true) or #text) + 1)
  end
  local dropped = (item.dropped or 0) + #item.text - #text
  return vim.tbl_extend("force", item, { row = item.row + lines, text = text, dropped = dropped })
end

--- Do what waits; called between two undo breaks.
function M.run_pending()
  local change = pending
  pending = nil
  if change then
    change()
  end
end

---@param change fun()
local function between_breaks(change)
  pending = change
  -- CTRL-G u ends the step of what was typed before, and begins another for what follows.
  local keys = vim.keycode("<C-g>u<Cmd>lua require('diffill.edit').run_pending()<CR><C-g>u")
  vim.api.nvim_feedkeys(keys, "ni", false)
end

--- Change a buffer in an undo step of its own, also while a person types in it. CTRL-G has ended a
--- completion by then, and what listens to that may have changed the text.
---@param buf integer
---@param change fun()
function M.as_step(buf, change)
  if vim.api.nvim_get_current_buf() == buf and vim.api.nvim_get_mode().mode:match("^[iR]") then
    between_breaks(change)
  else
    change()
  end
end

--- Put a plan into the buffer and the line that it was made for: the cursor may have moved along with
--- that; where it is in another one, nothing is done.
---@param plan diffill.Plan
---@param buf integer
---@param line string
---@return boolean
local function put(plan, buf, line)
  if vim.api.nvim_get_current_buf() ~= buf or not vim.bo[buf].modifiable then
    return false
  end
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  if col ~= plan.col or vim.api.nvim_get_current_line() ~= line then
    return false
  end
  local lines = vim.split(M.text(plan.insert, line), "\n", { plain = true })
  vim.api.nvim_buf_set_text(0, row - 1, col, row - 1, col + #plan.replaced, lines)
  local last = #lines[#lines] + (#lines == 1 and col or 0)
  vim.api.nvim_win_set_cursor(0, { row - 1 + #lines, last })
  return true
end

--- Carry a plan out as one undo step of its own, however it is called: also from an `<expr>` map.
---@param plan diffill.Plan
---@param done? fun() called once the text is there
function M.apply(plan, done)
  local buf, line = vim.api.nvim_get_current_buf(), vim.api.nvim_get_current_line()
  between_breaks(function()
    if put(plan, buf, line) and done then
      done()
    end
  end)
end

return M
