--- An item drawn as virtual text: what it would put at the cursor of the current window.
---
--- Invariants: the buffer's text stays as it is; what the item has is to be seen, so the window is
--- scrolled and long lines are folded ('wrap') where it would not be, and lines for which there is
--- no room at all are counted.

local confidence = require("diffill.confidence")
local tabs = require("diffill.tabs")

local M = {}
local api, fn = vim.api, vim.fn
local namespace = api.nvim_create_namespace("diffill.ghost")

---@alias diffill.Chunk [string, string] text and highlight group

--- A line of an item's text as it is drawn: chunks, and the column where it ends.
---@param text string
---@param from integer the byte of the item's text where it begins
---@param column integer
---@param item diffill.Item
---@return diffill.Chunk[], integer
local function drawn_line(text, from, column, item)
  local chunks = confidence.chunks(text, from, item.shades)
  for _, chunk in ipairs(chunks) do
    chunk[1] = tabs.spaced(chunk[1], column)
    column = column + fn.strdisplaywidth(chunk[1])
  end
  return chunks, column
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
  local drawn, stop = {}, 0
  local from = (item.dropped or 0) + plan.col
  for number, text in ipairs(vim.split(plan.insert, "\n", { plain = true })) do
    local chunks, ends = drawn_line(text, from, number == 1 and column or 0, item)
    stop = number == 1 and ends or stop
    drawn[number] = chunks
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
  local head, lines = table.remove(drawn, 1), {}
  if covers and vim.wo.wrap then
    lines = folded(head, window.width - fn.wincol() + 1, width)
    head = table.remove(lines, 1)
  end
  local head_stops = #head
  if covers and #lines == 0 then
    local cover = column + fn.strdisplaywidth(tabs.spaced(right, column)) - stop
    table.insert(head, { (" "):rep(math.max(cover, 0)), "DiffillGhost" })
  end
  for _, chunks in ipairs(drawn) do
    vim.list_extend(lines, vim.wo.wrap and folded(chunks, width, width) or { chunks })
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
