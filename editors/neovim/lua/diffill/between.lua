--- Another text for a range of which some pieces stay: edits of what lies between the pieces, so that
--- what moves with the text, such as a pin, stays with its piece. As in VS Code.

local M = {}
local api = vim.api

---@param text string
---@param one string
---@param last integer 1-based; a place at which it stands
---@param from integer
---@param wanted integer
---@return integer where it stands nearest to the wanted place, from `from` to `last`
local function nearest(text, one, from, last, wanted)
  local best, at = last, text:find(one, from, true)
  while at and at < last do
    best = math.abs(at - wanted) <= math.abs(best - wanted) and at or best
    at = text:find(one, at + 1, true)
  end
  return best
end

--- The last place at which each text can stand, so that the ones behind it still have room.
---@param text string
---@param texts string[]
---@return integer[]? places 1-based; nil if not every text is there, in their order
local function last_places(text, texts)
  local places, stop = {}, #text
  for index = #texts, 1, -1 do
    local found, at = nil, text:find(texts[index], 1, true)
    while at and at + #texts[index] - 1 <= stop do
      found, at = at, text:find(texts[index], at + 1, true)
    end
    if not found then
      return nil
    end
    places[index], stop = found, found - 1
  end
  return places
end

---@param buf integer
---@param range diffill.Range
---@param text string
local function set(buf, range, text)
  api.nvim_buf_set_text(buf, range[1], range[2], range[3], range[4], vim.split(text, "\n", { plain = true }))
end

--- Pieces in their order, those that overlap as one.
---@param pieces diffill.Range[]
---@return diffill.Range[]
local function joined(pieces)
  local sorted, whole = vim.deepcopy(pieces), {}
  local function before(row, col, other_row, other_col)
    return row < other_row or (row == other_row and col < other_col)
  end
  table.sort(sorted, function(a, b)
    return before(a[1], a[2], b[1], b[2])
  end)
  for _, piece in ipairs(sorted) do
    local last = whole[#whole]
    if not last or not before(piece[1], piece[2], last[3], last[4]) then
      whole[#whole + 1] = piece
    elseif before(last[3], last[4], piece[3], piece[4]) then
      last[3], last[4] = piece[3], piece[4]
    end
  end
  return whole
end

--- Make a range say something else; all of it anew where not every piece is in the text, in their
--- order.
---@param buf integer
---@param range diffill.Range
---@param pieces diffill.Range[] inside it
---@param text string
function M.replace(buf, range, pieces, text)
  pieces = joined(pieces)
  local function old(from_row, from_col, to_row, to_col)
    return table.concat(api.nvim_buf_get_text(buf, from_row, from_col, to_row, to_col, {}), "\n")
  end
  local texts = vim.tbl_map(function(piece)
    return old(unpack(piece))
  end, pieces)
  local last = last_places(text, texts)
  if not last then
    set(buf, range, text)
    return
  end
  local edits, row, col, from = {}, range[1], range[2], 1
  for index, piece in ipairs(pieces) do
    local gap = old(row, col, piece[1], piece[2])
    local at = nearest(text, texts[index], from, last[index], from + #gap)
    edits[index] = { { row, col, piece[1], piece[2] }, gap, text:sub(from, at - 1) }
    row, col, from = piece[3], piece[4], at + #texts[index]
  end
  edits[#edits + 1] = { { row, col, range[3], range[4] }, old(row, col, range[3], range[4]), text:sub(from) }
  for index = #edits, 1, -1 do -- the last one first, so that the places of the others stay
    local place, gap, new = unpack(edits[index])
    if gap ~= new then
      set(buf, place, new)
    end
  end
end

return M
