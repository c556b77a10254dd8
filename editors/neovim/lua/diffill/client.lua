--- The connection to the server: find it, ask it, change its settings, start it again.
---
--- Invariants: every answer reaches its callback as (result) or is told to the user as one
--- sentence with what to do; nothing waits. A server that is too old for a method is said to be.

local nameless = require("diffill.nameless")
local options = require("diffill.options")

local M = {}

M.name = "diffill"
M.oldest_server = "0.1.0"
local METHOD_NOT_FOUND = -32601
local EARLY_MS = 10000 -- ended sooner than this: it cannot run here, so starting it again is no use
local SIGTERM = 15 -- how Neovim stops a server by force; no crash looks like it

local started = {} ---@type table<integer, integer> client id -> milliseconds
local asked_to_stop = {} ---@type table<integer, boolean>
local said_missing = {} ---@type table<string, boolean>

--- How a server ended last that nobody had asked to, until one is started again.
M.ended = nil ---@type {how: string, answered: boolean}?
local published ---@type {cmd: string[]?, settings: table}? what `vim.lsp.config` was given last

---@param text string
---@param level integer?
function M.say(text, level)
  vim.notify("Diffill: " .. text, level or vim.log.levels.INFO, { title = "Diffill" })
end

--- Whether Neovim starts the server by itself; 0.11.0 and 0.11.1 have no function to ask.
---@return boolean
function M.is_enabled()
  if vim.lsp.is_enabled then
    return vim.lsp.is_enabled(M.name)
  end
  return vim.lsp._enabled_configs[M.name] ~= nil
end

---@param buf integer?
---@return vim.lsp.Client?
function M.get(buf)
  local clients = vim.lsp.get_clients({ name = M.name, bufnr = buf })
  return clients[1]
end

--- The client for a buffer, or a sentence why there is none. 0 is for what concerns no document:
--- the current buffer's client, or any.
---@param buf integer
---@return vim.lsp.Client?
function M.need(buf)
  local client = M.get(buf) or (buf == 0 and M.get() or nil)
  if buf ~= 0 and nameless.is_taken(buf) then
    M.say("another buffer without a name is served; give this one a name, by :write or :file", vim.log.levels.WARN)
    return nil
  end
  if not client then
    M.say("no server runs for this buffer; :checkhealth diffill says why", vim.log.levels.WARN)
  end
  return client
end

--- Whether a buffer's text may be changed; where not, that is said.
---@param buf integer
---@return boolean
function M.may_edit(buf)
  if not vim.bo[buf].modifiable then
    M.say("this buffer cannot be changed; `:setlocal modifiable` lets it be", vim.log.levels.WARN)
    return false
  end
  return true
end

---@param client vim.lsp.Client
---@param buf integer
---@param method string
---@param params any
---@param callback fun(result: any, client: vim.lsp.Client)
---@return integer? client
---@return integer? request
local function request_of(client, buf, method, params, callback)
  local sent, request = client:request(method, params, function(err, result)
    if not err then
      callback(result, client)
    elseif err.code == METHOD_NOT_FOUND then
      local version = (client.server_info or {}).version or "unknown"
      M.say(
        ("the server is too old for %s (version %s); update Diffill, then :Diffill restart"):format(method, version),
        vim.log.levels.WARN
      )
    else
      M.say(("%s: %s"):format(method, err.message or vim.inspect(err)), vim.log.levels.ERROR)
    end
  end, buf)
  if not sent then
    M.say("the server is not running; :Diffill restart", vim.log.levels.ERROR)
    return
  end
  return client.id, request
end

--- Ask the server; the callback gets the result, errors are told. Returns who was asked, and the
--- number of the request.
---@param buf integer 0: the request concerns no document
---@param method string
---@param params any
---@param callback fun(result: any, client: vim.lsp.Client)
---@return integer? client
---@return integer? request
function M.ask(buf, method, params, callback)
  local client = M.need(buf)
  if client then
    return request_of(client, buf, method, params, callback)
  end
end

--- Run a command of the server in each of some servers.
---@param clients vim.lsp.Client[]
---@param command string
---@param arguments any[]
---@param callback fun(result: any, client: vim.lsp.Client)
function M.command(clients, command, arguments, callback)
  for _, client in ipairs(clients) do
    local known = vim.tbl_get(client.server_capabilities, "executeCommandProvider", "commands") or {}
    if vim.list_contains(known, command) then
      local params = { command = command, arguments = arguments }
      request_of(client, 0, "workspace/executeCommand", params, callback)
    else
      local text = "the server is too old for %s; update Diffill, then :Diffill restart"
      M.say(text:format(command), vim.log.levels.WARN)
    end
  end
end

--- Why an answer is empty, with the fix where a person has switched it off here.
---@param text string
---@return string
function M.reason(text)
  return M.is_on() and text or text .. "; :Diffill toggle turns it on"
end

--- Change settings of the running server, as a table below `diffill`.
---@param changes table
function M.configure(changes)
  options.current.settings = vim.tbl_deep_extend("force", options.current.settings, changes)
  M.publish()
  require("diffill.ghost").forget()
  for _, client in ipairs(vim.lsp.get_clients({ name = M.name })) do
    local settings = vim.tbl_deep_extend("force", client.settings or {}, { diffill = changes })
    client.settings = settings
    client.config.settings = settings
    client:notify("workspace/didChangeConfiguration", { settings = settings })
    client:request("diffill/status", nil, function(err, status)
      if not err then
        require("diffill.status").changed(status, client.id)
      end
    end)
  end
end

--- Whether suggestions are on, as far as the settings say.
---@return boolean
function M.is_on()
  local client = M.get()
  local settings = client and client.settings or options.settings()
  return vim.tbl_get(settings, "diffill", "enable") ~= false
end

--- Hand the options on to `vim.lsp.config`; a command that was given there stays if none is here.
--- What was handed on before and is no option any more is taken back, since Neovim only adds.
function M.publish()
  local now = vim.deepcopy({ cmd = options.current.cmd, settings = options.settings() })
  if published and next(options.without(published, now)) then
    local config = options.without(vim.lsp.config[M.name], { settings = published.settings })
    if published.cmd and vim.deep_equal(config.cmd, published.cmd) then
      config.cmd = options.default_cmd()
    end
    vim.lsp.config[M.name] = config
  end
  published = now
  vim.lsp.config(M.name, now)
end

--- The file that the server's command names for its log; nil: what the server says is in Neovim's.
---@return string?
function M.log_file()
  local cmd = vim.lsp.config[M.name].cmd
  for index, word in ipairs(type(cmd) == "table" and cmd or {}) do
    if word == "--log-file" then
      return cmd[index + 1]
    elseif vim.startswith(word, "--log-file=") then
      return word:sub(#"--log-file=" + 1)
    end
  end
end

--- Say what the plugin can do beyond Neovim itself. Who has ghost text announces it, so that the
--- server does not offer everything in the completion menu too. The settings go along, since the
--- server decides by them what it announces; Neovim itself sends them later.
---@param params lsp.InitializeParams
---@param config vim.lsp.ClientConfig
function M.before_init(params, config)
  local bare = vim.deepcopy(params.initializationOptions or {})
  local given = bare.diffill or {}
  bare.diffill = nil
  local settings = vim.tbl_get(config, "settings", "diffill") or {}
  params.initializationOptions = { diffill = vim.tbl_deep_extend("force", bare, given, settings) }
  local can = vim.deepcopy(params.capabilities)
  can.experimental = vim.tbl_extend("force", can.experimental or {}, { diffillStatus = true, diffillTraining = true })
  can.textDocument.inlineCompletion = options.current.ghost ~= "off" and { dynamicRegistration = false } or nil
  params.capabilities = can
end

--- Tell once, with the fix, that the command cannot be run. Neovim only notes it in its log.
---@param buf integer a buffer that has got its file type
function M.check_command(buf)
  local config = vim.lsp.config[M.name]
  local cmd = config.cmd
  local ours = M.is_enabled() and vim.list_contains(config.filetypes, vim.bo[buf].filetype)
  if ours and type(cmd) == "table" and vim.fn.executable(cmd[1]) == 0 and not said_missing[cmd[1]] then
    said_missing[cmd[1]] = true
    M.say(
      ('"%s" cannot be run: it is not installed or not on PATH. Install Diffill, or name it: '):format(cmd[1])
        .. 'require("diffill").setup({ cmd = { "/path/to/diffill", "serve" } }); then :Diffill restart',
      vim.log.levels.ERROR
    )
  end
end

--- A buffer is about to get another name, by which the server will know it: close it under the one it
--- has, and open it under the new one, or, where that came to nothing, again.
---@param buf integer
function M.renaming(buf)
  local client = M.get(buf)
  if client then
    vim.lsp.buf_detach_client(buf, client.id)
  else
    client = nameless.left_out(buf)
  end
  if not client then
    return
  end
  vim.schedule(function()
    if vim.api.nvim_buf_is_loaded(buf) and not client:is_stopped() then
      vim.lsp.buf_attach_client(buf, client.id)
    end
  end)
end

---@param client vim.lsp.Client
function M.on_init(client)
  started[client.id], M.ended = vim.uv.now(), nil
  local version = (client.server_info or {}).version
  local parsed = type(version) == "string" and vim.version.parse(version)
  if parsed and vim.version.lt(parsed, M.oldest_server) then
    M.say(
      ("the server is version %s, this plugin needs %s or newer; update Diffill, then :Diffill restart"):format(
        version,
        M.oldest_server
      ),
      vim.log.levels.WARN
    )
  end
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
    if lived_ms < EARLY_MS or not options.current.restart or not M.is_enabled() then
      M.say(
        ("the server ended %s; :checkhealth diffill and :Diffill log say why, :Diffill restart tries again"):format(how),
        vim.log.levels.ERROR
      )
    else
      M.say(("the server ended %s and is started again"):format(how), vim.log.levels.WARN)
      vim.lsp.enable(M.name)
    end
  end))
end

--- Stop the server, if one runs, and start it.
function M.restart()
  said_missing, M.ended = {}, nil
  local clients = vim.lsp.get_clients({ name = M.name, _uninitialized = true })
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
        vim.lsp.enable(M.name)
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
