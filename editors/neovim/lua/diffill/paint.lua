--- An item drawn as virtual text: what it would put at the cursor of the current window.
---
--- Invariants: the buffer's text stays as it is; what the item has is to be seen, so the window is
--- scrolled and long lines are folded ('wrap') where it would not be, and lines for which there is
--- no room at all are counted; of what moves to the last line nothing is left where it stands.

local confidence = require("diffill.confidence")
local tabs = require("diffill.tabs")

local M = {}
local api, fn = vim.api, vim.fn
local namespace = api.nvim_create_namespace("diffill.ghost")

---@alias diffill.Chunk [string, string] text and highlight group

--- A line of an item's text as it is drawn.
---@param text string
---@param from integer the byte of the item's text where it begins
---@param column integer
---@param item diffill.Item
---@return diffill.Chunk[]
local function drawn_line(text, from, column, item)
  local chunks = confidence.chunks(text, from, item.shades)
  for _, chunk in ipairs(chunks) do
    chunk[1] = tabs.spaced(chunk[1], column)
    column = column + fn.strdisplaywidth(chunk[1])
  end
  return chunks
end

--- Chunks as lines that are no wider than the window has room for.
---@param chunks diffill.Chunk[]
---@param room integer cells of the first line
---@param width integer cells of the others
---@return diffill.Chunk[][]
local function folded(chunks, room, width)
  local lines = { {} }
  for _, chunk in ipairs(chunks) do
    local text, group = chunk[1], chunk[2]
    while fn.strdisplaywidth(text) > room do
      local head = fn.printf(("%%.%dS"):format(room), text)
      if head == "" and room == width then
        head = fn.strcharpart(text, 0, 1) -- a character that is wider than the window
      end
      table.insert(lines[#lines], { head, group })
      text, room = text:sub(#head + 1), width
      lines[#lines + 1] = {}
    end
    table.insert(lines[#lines], { text, group })
    room = room - fn.strdisplaywidth(text)
  end
  return lines
end

--- The screen's rows below the cursor's that its line has, right of the cursor: the bytes in them.
---@param row integer the cursor's, 0-based
---@param col integer
---@param length integer
---@return integer[]
local function rows_below(row, col, length)
  local function is_below(byte, screen_row)
    local found = fn.screenpos(0, row + 1, byte + 1).row
    return found == 0 or found > screen_row -- 0: below the window
  end
  local bytes, at, screen_row = {}, col, fn.screenpos(0, row + 1, col + 1).row
  while at < length and is_below(length - 1, screen_row) do
    local low, high = at, length - 1 -- the first one that is below is right of low, and high is below
    while high - low > 1 do
      local middle = math.floor((low + high) / 2)
      if is_below(middle, screen_row) then
        high = middle
      else
        low = middle
      end
    end
    local found = fn.screenpos(0, row + 1, high + 1).row
    if found == 0 then
      break
    end
    bytes[#bytes + 1] = high
    at, screen_row = high, found
  end
  return bytes
end

--- The cells of the cursor's row on the screen, from the cursor to the end of its text.
---@param row integer
---@param col integer
---@param length integer
---@param room integer up to the window's edge
---@return integer
local function cells_right_of(row, col, length, room)
  local from, stop = fn.screenpos(0, row + 1, col + 1), fn.screenpos(0, row + 1, length + 1)
  return stop.row == from.row and stop.endcol >= from.col and stop.endcol - from.col + 1 or room
end

--- Chunks, and blanks up to a width.
---@param chunks diffill.Chunk[]
---@param width integer
---@return diffill.Chunk[]
local function padded(chunks, width)
  for _, chunk in ipairs(chunks) do
    width = width - fn.strdisplaywidth(chunk[1])
  end
  return vim.list_extend(chunks, { { (" "):rep(math.max(width, 0)), "DiffillGhost" } })
end

--- Scroll until so many lines below the cursor's are in the window, as far as 'scrolloff' lets it.
---@param row integer the cursor's, 0-based
---@param below integer
---@return integer how many of them are not in it even so
local function make_room(row, below)
  local window, height, first = api.nvim_get_current_win(), fn.winheight(0), fn.line("w0")
  local last = row + 1 - math.min(vim.wo.scrolloff, math.floor((height - 1) / 2))
  local function missing(top)
    return api.nvim_win_text_height(window, { start_row = top - 1, end_row = row }).all + below - height
  end
  local top = first
  while missing(top) > 0 and top < last do
    top = top + 1
  end
  if top > first then
    fn.winrestview({ topline = top })
  end
  return math.min(math.max(missing(top), 0), below)
end

---@param buf integer
function M.clear(buf)
  if api.nvim_buf_is_valid(buf) then
    api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  end
end

--- Draw a plan in the buffer of the current window; what was drawn before goes.
---@param buf integer
---@param item diffill.Item
---@param plan diffill.Plan
---@param count string? stands at its end
function M.draw(buf, item, plan, count)
  M.clear(buf)
  local line = api.nvim_buf_get_lines(buf, plan.row, plan.row + 1, true)[1]
  local column = fn.strdisplaywidth(line:sub(1, plan.col))
  local drawn = {}
  local from = (item.dropped or 0) + plan.col
  for number, text in ipairs(vim.split(plan.insert, "\n", { plain = true })) do
    drawn[number] = drawn_line(text, from, number == 1 and column or 0, item)
    from = from + #text + 1
  end
  local mark = { hl_mode = "combine", virt_text_pos = "inline" }
  local right = plan.replaced .. plan.after
  local covers = #drawn > 1 and right ~= ""
  if covers then
    -- What stands right of the cursor moves to the last line: cover it here, show it there.
    mark.virt_text_pos = "overlay"
    table.insert(drawn[#drawn], { tabs.spaced(plan.after, 0), "DiffillGhost" })
  elseif plan.replaced ~= "" then
    mark.end_col = plan.col + #plan.replaced
    mark.hl_group = "DiffillReplaced"
  end
  if count then
    table.insert(drawn[#drawn], { count, "DiffillGhostCount" })
  end

  local window = fn.getwininfo(api.nvim_get_current_win())[1]
  local width = math.max(window.width - window.textoff, 1)
  local head, lines, room = table.remove(drawn, 1), {}, window.width - fn.wincol() + 1
  if covers and vim.wo.wrap then
    lines = folded(head, room, width)
    head = table.remove(lines, 1)
  end
  local head_stops = #head
  if covers then
    head = padded(head, cells_right_of(plan.row, plan.col, #line, room))
  end
  for _, chunks in ipairs(drawn) do
    vim.list_extend(lines, vim.wo.wrap and folded(chunks, width, width) or { chunks })
  end
  for _, byte in ipairs(covers and rows_below(plan.row, plan.col, #line) or {}) do
    api.nvim_buf_set_extmark(buf, namespace, plan.row, byte, {
      virt_text = padded(table.remove(lines, 1) or {}, width),
      virt_text_win_col = 0,
      hl_mode = "combine",
    })
  end
  mark.virt_text, mark.virt_lines = head, lines
  mark.id = api.nvim_buf_set_extmark(buf, namespace, plan.row, plan.col, mark)
  local hidden = #lines > 0 and make_room(plan.row, #lines) or 0
  if hidden > 0 then
    table.insert(head, head_stops + 1, { (" ↵ +%d"):format(hidden), "DiffillGhostCount" })
    api.nvim_buf_set_extmark(buf, namespace, plan.row, plan.col, mark)
  end
end

return M
