--- `:Diffill fill`: all holes of the buffer filled together, as one undo step.
---
--- Holes are what the marker says, or, with a range, the selection. Invariant: the edits are
--- applied to the text they were made for, all of them or none.

local client_of = require("diffill.client")
local drafts = require("diffill.drafts")
local options = require("diffill.options")
local pins = require("diffill.pins")
local place = require("diffill.place")

local M = {}
local api = vim.api
local METHOD = "diffill/fill"

--- The edits of the best fill of an answer.
---@param result any
---@return lsp.TextEdit[]
local function edits_of(result)
  local best = vim.tbl_get(result or {}, "fills", 1) or result
  return type(best) == "table" and best.edits or {}
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
  if command.range == 2 then
    local range, encoding = place.selected(command), client.offset_encoding
    params.holes = { place.to_lsp(buf, range, encoding) }
    local kept = vim.tbl_map(function(pin)
      return place.to_lsp(buf, pin, encoding)
    end, pins.inside(buf, range))
    params.pins = #kept > 0 and kept or nil
  else
    params.marker = marker or options.current.marker
  end
  local tick = api.nvim_buf_get_changedtick(buf)
  drafts.ask(buf, METHOD, params, function(result)
    local edits = edits_of(result)
    if #edits == 0 then
      local why = type(result) == "table" and type(result.reason) == "string" and result.reason
      client_of.say("nothing was filled: " .. (why or ("no hole; write %s where one is"):format(options.current.marker)))
    elseif not api.nvim_buf_is_valid(buf) or api.nvim_buf_get_changedtick(buf) ~= tick then
      client_of.say("the text has changed since the fill was asked for; ask again", vim.log.levels.WARN)
    else
      vim.lsp.util.apply_text_edits(edits, buf, client.offset_encoding)
      client_of.say(("%d hole%s filled; u takes it back"):format(#edits, #edits == 1 and "" or "s"))
    end
  end)
end

return M
