--- `:Diffill fill`, `bridge` and `comment`: texts for one or more places, as one undo step.
---
--- Holes are what the marker says, or, with a range, the selection; lines are written at the cursor.
--- Invariant: the edits are applied to the text they were made for, all of them or none.

local between = require("diffill.between")
local client_of = require("diffill.client")
local drafts = require("diffill.drafts")
local edit = require("diffill.edit")
local options = require("diffill.options")
local pins = require("diffill.pins")
local place = require("diffill.place")
local snapshot = require("diffill.snapshot")

local M = {}
local api = vim.api
local FILL, BRIDGE, FROM_COMMENT = "diffill/fill", "diffill/bridge", "diffill/fromComment"

--- The edits of the best fill of an answer.
---@param result any
---@return lsp.TextEdit[]
local function edits_of(result)
  local best = vim.tbl_get(result or {}, "fills", 1) or result
  return type(best) == "table" and best.edits or {}
end

--- Apply edits. Neovim takes every CR out of what is inserted; where the lines of the buffer show theirs,
--- new ones get one. What is pinned inside an edit keeps its pin.
---@param buf integer
---@param edits lsp.TextEdit[]
---@param encoding string
local function apply(buf, edits, encoding)
  local function line_of(one)
    local row = one.range.start.line
    return api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ""
  end
  local function pinned(one)
    return pins.inside(buf, place.from_lsp(buf, one.range, encoding))
  end
  local plain = vim.iter(edits):all(function(one)
    return not vim.endswith(line_of(one), "\r") and #pinned(one) == 0
  end)
  if plain then
    vim.lsp.util.apply_text_edits(edits, buf, encoding)
    return
  end
  table.sort(edits, function(a, b)
    local one, other = a.range.start, b.range.start
    return one.line > other.line or (one.line == other.line and one.character > other.character)
  end)
  for _, one in ipairs(edits) do
    local range = place.from_lsp(buf, one.range, encoding)
    between.replace(buf, range, pinned(one), edit.text(one.newText, line_of(one)))
  end
end

--- Ask, and apply what comes.
---@param buf integer
---@param client vim.lsp.Client
---@param method string
---@param params table
---@param nothing string why there may be no edit, where the server does not say
---@param done fun(edits: lsp.TextEdit[]): string what to say of them
local function ask(buf, client, method, params, nothing, done)
  if not client_of.may_edit(buf) then
    return
  end
  local before = snapshot.take(buf)
  drafts.ask(buf, method, params, function(result)
    local edits = edits_of(result)
    if #edits == 0 then
      local why = type(result) == "table" and type(result.reason) == "string" and result.reason
      client_of.say("nothing was filled: " .. client_of.reason(why or nothing))
      return
    end
    edit.as_step(buf, function()
      if not snapshot.holds(before) then
        client_of.say("the text has changed since the fill was asked for; ask again", vim.log.levels.WARN)
      elseif client_of.may_edit(buf) then
        apply(buf, edits, client.offset_encoding)
        local why = type(result.reason) == "string" and "; " .. result.reason or ""
        client_of.say(done(edits) .. why)
      end
    end)
  end)
end

--- `:[range]Diffill fill [marker]`.
---@param command table
---@param marker string?
function M.run(command, marker)
  local buf = api.nvim_get_current_buf()
  local client = client_of.need(buf)
  if not client then
    return
  end
  local params = { textDocument = { uri = vim.uri_from_bufnr(buf) } }
  if command.range > 0 then
    local range, encoding = place.selected(command), client.offset_encoding
    if not range then
      return
    end
    params.holes = { place.to_lsp(buf, range, encoding) }
    local kept = vim.tbl_map(function(pin)
      return place.to_lsp(buf, pin, encoding)
    end, pins.inside(buf, range))
    params.pins = #kept > 0 and kept or nil
  else
    params.marker = marker or options.current.marker
  end
  local no_hole = ("no hole; write %s where one is"):format(options.current.marker)
  ask(buf, client, FILL, params, no_hole, function(edits)
    return ("%d hole%s filled; u takes it back"):format(#edits, #edits == 1 and "" or "s")
  end)
end

---@param method string
---@param nothing string
local function write_lines(method, nothing)
  local buf = api.nvim_get_current_buf()
  local client = client_of.need(buf)
  if not client then
    return
  end
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  ask(buf, client, method, params, nothing, function()
    return "written; u takes it back"
  end)
end

--- `:Diffill bridge`: lines that connect what stands above and below the cursor.
function M.bridge()
  write_lines(BRIDGE, "nothing fits between these lines")
end

--- `:Diffill comment`: the body that the comment at the cursor asks for.
function M.from_comment()
  write_lines(FROM_COMMENT, "put the cursor on a comment or docstring")
end

return M
