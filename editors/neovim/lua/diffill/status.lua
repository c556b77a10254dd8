--- What each server says of itself: kept for the status line, shown by `:Diffill status`.
---
--- Invariants: a buffer's status line tells of the server of that buffer; a server is asked by
--- `:Diffill status` and after a setting was changed, the rest follows its notifications.

local client_of = require("diffill.client")
local roots = require("diffill.roots")
local show = require("diffill.show")

local M = {}

---@class diffill.Told
---@field status? table what the server said last
---@field training? string

local all = {} ---@type table<integer, diffill.Told> by client

---@param client integer
---@return diffill.Told
local function of(client)
  all[client] = all[client] or {}
  return all[client]
end

local function redraw()
  vim.schedule(function()
    vim.cmd.redrawstatus({ bang = true })
    vim.api.nvim_exec_autocmds("User", { pattern = "DiffillStatus", modeline = false })
  end)
end

--- `diffill/statusDidChange`.
---@param status table
---@param client integer
function M.changed(status, client)
  of(client).status = status
  if status.kind == "Inactive" then
    require("diffill.ghost").forget(client)
  end
  redraw()
end

--- Whether a server is snoozed. It tells when that is over.
---@param client integer
---@return boolean
function M.is_snoozed(client)
  local status = of(client).status
  return status ~= nil and (status.snoozedForS or 0) > 0
end

--- A server has ended.
---@param client integer
function M.gone(client)
  all[client] = nil
  redraw()
end

---@param text string?
---@param client integer
function M.training(text, client)
  of(client).training = text
  redraw()
end

local words = { Loading = "loading", Error = "error", Inactive = "off" }

---@return string
function M.line()
  local client = client_of.get(vim.api.nvim_get_current_buf())
  if not client then
    return ""
  end
  local told = of(client.id)
  local last = told.status
  local word = words[last and last.kind or ""] or "on"
  if told.training then
    word = told.training
  elseif not client_of.is_on() or vim.b.diffill_enabled == false then
    word = "off"
  elseif M.is_snoozed(client.id) then
    word = "snoozed"
  end
  return "diffill " .. word
end

local function ms(value)
  return type(value) == "number" and ("%.0f ms"):format(value) or "none yet"
end

---@param status table
---@return string[]
function M.lines(status)
  local lines = {
    ("%s: %s"):format(status.kind or "Unknown", status.message or ""),
    ("model: %s"):format(status.model ~= "" and status.model or "none yet"),
  }
  if type(status.adapter) == "string" and status.adapter ~= "" then
    lines[#lines + 1] = "adapter: " .. status.adapter
  end
  lines[#lines + 1] = ("requests: p50 %s, p95 %s, %d waiting"):format(ms(status.p50), ms(status.p95), status.queue or 0)
  if type(status.reason) == "string" then
    lines[#lines + 1] = "the last request showed nothing: " .. status.reason
  end
  -- Of the adapter or the GPU; what settings are to blame for is told with them, too.
  local other = type(status.adapterProblem) == "string" and status.adapterProblem or nil
  for _, problem in ipairs(status.problems or {}) do
    lines[#lines + 1] = "setting: " .. problem
    other = other and not problem:find(other, 1, true) and other or nil
  end
  if other then
    lines[#lines + 1] = "problem: " .. other
  end
  return lines
end

function M.show()
  local buf = vim.api.nvim_get_current_buf()
  roots.ask("diffill/status", nil, function(status, client)
    M.changed(status, client.id)
    show.lines(buf, "status" .. roots.where(client), M.lines(status))
  end)
end

--- Why the last request in this buffer was answered as it was.
function M.explain()
  local buf = vim.api.nvim_get_current_buf()
  local params = { textDocument = { uri = vim.uri_from_bufnr(buf) } }
  client_of.ask(buf, "diffill/explainLast", params, function(trail)
    if not trail or trail == vim.NIL then
      client_of.say("nothing was asked for in this buffer yet")
      return
    end
    local at = trail.position or {}
    local lines = {
      ("%s at %d:%d, %s"):format(
        trail.method or "?",
        (at.line or 0) + 1,
        (at.character or 0) + 1,
        trail.automatic and "while typing" or "asked for"
      ),
      ("shown: %d, in %.0f ms"):format(trail.shown or 0, trail.ms or 0),
    }
    if type(trail.reason) == "string" then
      lines[#lines + 1] = ("reason: %s (%s)"):format(trail.message or "", trail.reason)
    end
    for _, stage in ipairs(trail.stages or {}) do
      lines[#lines + 1] = ("stage %s: %.1f ms"):format(stage.name, stage.ms)
    end
    for number, one in ipairs(trail.candidates or {}) do
      local fate = type(one.droppedBy) == "string" and ("dropped by %s: %s"):format(one.droppedBy, one.why or "")
        or "kept"
      lines[#lines + 1] = ("candidate %d: score %.2f, %d characters, %s"):format(
        number,
        one.score,
        one.characters,
        fate
      )
    end
    show.lines(buf, "explain", lines)
  end)
end

return M
