--- Diffill in Neovim: what an init.lua calls. `:help diffill`.
---
--- This file passes on to who draws ghost text in a buffer; it holds no state.

local client = require("diffill.client")
local ghost = require("diffill.ghost")
local native = require("diffill.native")
local options = require("diffill.options")

local M = {}

M.version = "0.1.0"

--- Options over the defaults. Not needed where the defaults are right. Servers that run take the new
--- settings; `cmd` is for the next one.
---@param given table?
function M.setup(given)
  local problems = options.take(given)
  if #problems > 0 then
    client.say("setup: " .. table.concat(problems, "; "), vim.log.levels.WARN)
  end
  client.take_options()
  ghost.forget()
end

--- Show ghost text in a buffer that the server is attached to.
---@param buf integer
function M.attach(buf)
  local mode = options.ghost(buf)
  if mode == "off" then
    return
  end
  if mode == "native" and vim.b[buf].diffill_enabled ~= false then
    native.attach(buf)
  end
  ghost.attach(buf)
end

---@param buf integer
function M.detach(buf)
  ghost.detach(buf)
end

local function uses_native()
  local buf = vim.api.nvim_get_current_buf()
  return client.get(buf) ~= nil and options.ghost(buf) == "native"
end

--- Take the shown suggestion: all of it, its first line or its first word, as one undo step.
---@param unit? "all"|"line"|"word"
---@return boolean whether there was one; false lets a key fall back
function M.accept(unit)
  unit = unit or "all"
  return ghost.accept(unit) or (uses_native() and native.accept(unit))
end

--- Show the next alternative (or, with -1, the one before).
---@param step? integer
---@return boolean
function M.next(step)
  step = step or 1
  return ghost.select(step) or (uses_native() and native.select(step))
end

function M.previous()
  return M.next(-1)
end

--- Hide the suggestion until the text or the cursor changes.
---@return boolean
function M.dismiss()
  local own = ghost.dismiss()
  return (uses_native() and native.dismiss()) or own
end

--- Ask now, also where `inline.trigger` is manual.
---@return boolean
function M.trigger()
  return ghost.trigger()
end

--- Change the server's settings while it runs: `configure({ inline = { maxLines = 1 } })`.
---@param changes table
function M.configure(changes)
  client.configure(changes)
end

--- For a status line: a few characters, "" where Diffill has no part in the buffer.
---@return string
function M.statusline()
  return require("diffill.status").line()
end

return M
