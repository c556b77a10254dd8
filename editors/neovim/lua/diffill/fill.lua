--- `:Diffill fill`, `bridge` and `comment`: texts for one or more places, as one undo step.
---
--- Holes are what the marker says, or, with a range, the selection; lines are written at the cursor.
--- Invariant: the edits are applied to the text they were made for, all of them or none.

local client_of = require("diffill.client")
local drafts = require("diffill.drafts")
local options = require("diffill.options")
local pins = require("diffill.pins")
local place = require("diffill.place")

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
  local tick = api.nvim_buf_get_changedtick(buf)
  drafts.ask(buf, method, params, function(result)
    local edits = edits_of(result)
    if #edits == 0 then
      local why = type(result) == "table" and type(result.reason) == "string" and result.reason
      client_of.say("nothing was filled: " .. (why or nothing))
    elseif not api.nvim_buf_is_valid(buf) or api.nvim_buf_get_changedtick(buf) ~= tick then
      client_of.say("the text has changed since the fill was asked for; ask again", vim.log.levels.WARN)
    elseif client_of.may_edit(buf) then
      vim.lsp.util.apply_text_edits(edits, buf, client.offset_encoding)
      client_of.say(done(edits))
    end
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
