--- Ghost text shaded by how sure the model is of it: `diffill/confidence` asked, its pieces laid
--- over an item's text.
---
--- Invariants: shades change colours and never a character; an answer for another text than the
--- item's is not used; where nothing is known, ghost text looks as ever.

local client_of = require("diffill.client")
local edit = require("diffill.edit")

local M = {}

local METHOD = "diffill/confidence"
local LEVELS = { { 0.8, "DiffillGhost" }, { 0.4, "DiffillGhostUnsure" }, { 0, "DiffillGhostDoubtful" } }

---@class diffill.Shade
---@field stop integer the byte of the item's text where it ends
---@field group string

---@param p number?
---@return string highlight group
local function group_of(p)
  for _, level in ipairs(LEVELS) do
    if type(p) ~= "number" or p >= level[1] then
      return level[2]
    end
  end
  return LEVELS[#LEVELS][2]
end

--- Shades of the text that pieces are together.
---@param pieces {text: string, p: number?}[]
---@return diffill.Shade[]
function M.shades(pieces)
  local shades, text = {}, ""
  for _, piece in ipairs(pieces) do
    text = text .. piece.text
    shades[#shades + 1] = { stop = #edit.text(text), group = group_of(piece.p) }
  end
  return shades
end

--- A part of an item's text as chunks of virtual text.
---@param text string
---@param from integer the byte of the item's text where it begins
---@param shades diffill.Shade[]?
---@return [string, string][]
function M.chunks(text, from, shades)
  local chunks, at = {}, 0
  for _, shade in ipairs(shades or {}) do
    local stop = math.min(shade.stop - from, #text)
    if stop > at then
      chunks[#chunks + 1] = { text:sub(at + 1, stop), shade.group }
      at = stop
    end
  end
  if at < #text or #chunks == 0 then
    chunks[#chunks + 1] = { text:sub(at + 1), LEVELS[1][2] }
  end
  return chunks
end

--- Ask how sure the model is of items; `done` is called when some of them are shaded. A server
--- that does not know is not asked twice, and nobody is told: it is only colour.
---@param buf integer
---@param items diffill.Item[]
---@param done fun()
function M.ask(buf, items, done)
  local client = client_of.get(buf)
  if not client or #items == 0 or M.too_old == client.id then
    return
  end
  client:request(METHOD, { textDocument = { uri = vim.uri_from_bufnr(buf) } }, function(err, result)
    if err then
      M.too_old = client.id
      return
    end
    local known = {}
    for _, item in ipairs(result and result.items or {}) do
      known[edit.text(item.insertText)] = M.shades(item.pieces)
    end
    for _, item in ipairs(items) do
      item.shades = known[item.text]
    end
    done()
  end, buf)
end

return M
