--- The range a command is meant for, and ranges as the protocol counts them.

local client_of = require("diffill.client")

local M = {}
local api = vim.api
local BLOCK = vim.keycode("<C-v>")

--- A command with the selection for its range, where a `<Cmd>` map runs it in visual mode, which ends.
---@param command table what `nvim_create_user_command` passes
---@return table
function M.with_selection(command)
  if command.range > 0 or not vim.list_contains({ "v", "V", BLOCK }, vim.fn.mode()) then
    return command
  end
  vim.cmd.normal({ vim.keycode("<Esc>"), bang = true })
  local from, to = api.nvim_buf_get_mark(0, "<"), api.nvim_buf_get_mark(0, ">")
  return vim.tbl_extend("force", command, { range = 2, line1 = from[1], line2 = to[1] })
end

--- The selection, the lines of a command's range, or the text of the cursor's line. nil: what is
--- selected is no such range, which is said.
---@param command table what `with_selection` gives
---@return diffill.Range?
function M.selected(command)
  local buf = api.nvim_get_current_buf()
  local first, last = command.line1 - 1, command.line2 - 1
  -- A CR that the buffer shows at the end of a line belongs to the line end.
  local line = api.nvim_buf_get_lines(buf, last, last + 1, true)[1]:gsub("\r$", "")
  if command.range == 2 then
    local from, to = api.nvim_buf_get_mark(buf, "<"), api.nvim_buf_get_mark(buf, ">")
    local visual = from[1] == command.line1 and to[1] == command.line2
    if visual and vim.fn.visualmode() == BLOCK then
      client_of.say("a block is selected; select the text by v or by V", vim.log.levels.WARN)
      return nil
    elseif visual and vim.fn.visualmode() == "v" then
      -- The mark stands on the first byte of the last character, or right of it.
      local right_of_it = vim.o.selection == "exclusive" and not vim.deep_equal(from, to)
      local stop = math.min(to[2] + (right_of_it and 0 or 1), #line)
      while stop < #line and line:byte(stop + 1) >= 0x80 and line:byte(stop + 1) < 0xC0 do
        stop = stop + 1
      end
      return { first, first == last and math.min(from[2], stop) or from[2], last, stop }
    end
  end
  local indent = first == last and #line:match("^%s*") or 0
  return { first, indent, last, #line }
end

---@param buf integer
---@param range diffill.Range
---@param encoding string
---@return lsp.Range
function M.to_lsp(buf, range, encoding)
  local function position(row, col)
    local line = api.nvim_buf_get_lines(buf, row, row + 1, true)[1]
    return { line = row, character = vim.str_utfindex(line, encoding, col, false) }
  end
  return { start = position(range[1], range[2]), ["end"] = position(range[3], range[4]) }
end

--- The other way round. A place after the last line, which a buffer does not have, is its end.
---@param buf integer
---@param range lsp.Range
---@param encoding string
---@return diffill.Range
function M.from_lsp(buf, range, encoding)
  local function position(where)
    local row = math.min(where.line, api.nvim_buf_line_count(buf) - 1)
    local line = api.nvim_buf_get_lines(buf, row, row + 1, true)[1]
    local inside = row == where.line
    return row, inside and vim.str_byteindex(line, encoding, where.character, false) or #line
  end
  local first, from = position(range.start)
  local last, to = position(range["end"])
  return { first, from, last, to }
end

return M
