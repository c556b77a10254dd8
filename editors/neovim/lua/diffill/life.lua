--- The life of the servers: what one is told at its start, how one ended, and whether it is started
--- again.
---
--- Invariants: a server that ended by itself is started again, unless that was too soon or has come
--- too often; nothing is enabled that a person has disabled; a snooze holds in servers that start
--- while it lasts.

local client_of = require("diffill.client")
local options = require("diffill.options")

local M = {}

local EARLY_MS = 10000 -- ended sooner than this: it cannot run here, so starting it again is no use
local RESTARTS, WINDOW_MS = 3, 180000 -- as in VS Code: so often in this time, and no more
local SIGTERM = 15 -- how Neovim stops a server by force; no crash looks like it
local MINUTE_MS = 60000

local started = {} ---@type table<integer, integer> client id -> milliseconds
local asked_to_stop = {} ---@type table<integer, boolean>
local restarted = {} ---@type integer[] when, in milliseconds
local snoozed_until = 0

--- How a server ended last that nobody had asked to, until one is started again.
M.ended = nil ---@type {how: string, answered: boolean}?

--- All servers were told to be quiet for some minutes.
---@param minutes number
function M.snoozed(minutes)
  snoozed_until = vim.uv.now() + minutes * MINUTE_MS
end

---@param client vim.lsp.Client
function M.on_init(client)
  started[client.id], M.ended = vim.uv.now(), nil
  local version = (client.server_info or {}).version
  local parsed = type(version) == "string" and vim.version.parse(version)
  if parsed and vim.version.lt(parsed, client_of.oldest_server) then
    client_of.say(
      ("the server is version %s, this plugin needs %s or newer; update Diffill, then :Diffill restart"):format(
        version,
        client_of.oldest_server
      ),
      vim.log.levels.WARN
    )
  end
  local left_ms = snoozed_until - vim.uv.now()
  if left_ms > 0 then
    client_of.command({ client }, "diffill.snooze", { left_ms / MINUTE_MS }, function(status)
      require("diffill.status").changed(status, client.id)
    end)
  end
end

--- Whether a server may be started again that has just ended by itself; it is counted then.
---@param lived_ms integer
---@return boolean
local function may_start(lived_ms)
  if lived_ms < EARLY_MS or not options.current.restart or not client_of.is_enabled() then
    return false
  end
  local now = vim.uv.now()
  restarted = vim.tbl_filter(function(at)
    return now - at < WINDOW_MS
  end, restarted)
  if #restarted >= RESTARTS then
    return false
  end
  restarted[#restarted + 1] = now
  return true
end

--- The server's process has ended.
---@param code integer
---@param signal integer
---@param id integer
function M.on_exit(code, signal, id)
  local lived_ms = vim.uv.now() - (started[id] or vim.uv.now())
  local answered = started[id] ~= nil
  local wanted = asked_to_stop[id] or vim.v.exiting ~= vim.NIL or signal == SIGTERM
  started[id], asked_to_stop[id] = nil, nil
  require("diffill.status").gone(id)
  if wanted or (code == 0 and signal == 0) then
    return
  end
  local how = signal ~= 0 and ("by signal %d"):format(signal) or ("with code %d"):format(code)
  M.ended = { how = how, answered = answered }
  -- Twice, since Neovim itself forgets the client one turn of the loop later.
  vim.schedule(vim.schedule_wrap(function()
    if may_start(lived_ms) then
      client_of.say(("the server ended %s and is started again"):format(how), vim.log.levels.WARN)
      vim.lsp.enable(client_of.name)
    else
      client_of.say(
        ("the server ended %s; :checkhealth diffill and :Diffill log say why, :Diffill restart tries again"):format(how),
        vim.log.levels.ERROR
      )
    end
  end))
end

--- Stop the server, if one runs, and start it.
function M.restart()
  if not client_of.is_enabled() then
    client_of.say('the server is not enabled; `:lua vim.lsp.enable("diffill")` starts it', vim.log.levels.WARN)
    return
  end
  client_of.forget_missing()
  restarted, M.ended = {}, nil
  local clients = vim.lsp.get_clients({ name = client_of.name, _uninitialized = true })
  for _, client in ipairs(clients) do
    asked_to_stop[client.id] = true
    client:stop()
  end
  local function gone()
    return vim.iter(clients):all(function(client)
      return client:is_stopped()
    end)
  end
  local patience, timer = 50, assert(vim.uv.new_timer()) -- five seconds, then by force
  timer:start(
    0,
    100,
    vim.schedule_wrap(function()
      if timer:is_closing() then
        return
      end
      if gone() then
        timer:close()
        vim.lsp.enable(client_of.name)
        return
      end
      patience = patience - 1
      if patience == 0 then
        for _, client in ipairs(clients) do
          client:stop(true)
        end
      end
    end)
  )
end

return M
