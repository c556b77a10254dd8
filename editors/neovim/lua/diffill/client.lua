--- The connection to the server: find it, ask it, change its settings.
---
--- Invariants: every answer reaches its callback as (result) or is told to the user as one
--- sentence with what to do; nothing waits. A server that is too old for a method is said to be.

local nameless = require("diffill.nameless")
local options = require("diffill.options")

local M = {}

M.name = "diffill"
M.oldest_server = "0.1.0"
local METHOD_NOT_FOUND = -32601

local said_missing = {} ---@type table<string, boolean>
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

--- The client for a buffer, or a sentence why there is none. 0 is for what concerns no document: the
--- current buffer's client, or any (`roots` asks which one).
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

--- Ask one server; as `M.ask` otherwise.
---@param client vim.lsp.Client
---@param buf integer 0: the request concerns no document
---@param method string
---@param params any
---@param callback fun(result: any, client: vim.lsp.Client)
---@return integer? client
---@return integer? request
function M.request(client, buf, method, params, callback)
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
---@param buf integer
---@param method string
---@param params any
---@param callback fun(result: any, client: vim.lsp.Client)
---@return integer? client
---@return integer? request
function M.ask(buf, method, params, callback)
  local client = M.need(buf)
  if client then
    return M.request(client, buf, method, params, callback)
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
      M.request(client, 0, "workspace/executeCommand", params, callback)
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

--- Have a running server take other settings.
---@param client vim.lsp.Client
---@param settings table
local function push(client, settings)
  client.settings = settings
  client.config.settings = settings
  client:notify("workspace/didChangeConfiguration", { settings = settings })
  client:request("diffill/status", nil, function(err, status)
    if not err then
      require("diffill.status").changed(status, client.id)
    end
  end)
end

--- Change settings of the running servers, as a table below `diffill`.
---@param changes table
function M.configure(changes)
  options.current.settings = vim.tbl_deep_extend("force", options.current.settings, changes)
  M.publish()
  require("diffill.ghost").forget()
  for _, client in ipairs(vim.lsp.get_clients({ name = M.name })) do
    push(client, vim.tbl_deep_extend("force", client.settings or {}, { diffill = changes }))
  end
end

--- Hand the options on, also to the servers that run.
function M.take_options()
  M.publish()
  local settings = vim.lsp.config[M.name].settings
  for _, client in ipairs(vim.lsp.get_clients({ name = M.name })) do
    if not vim.deep_equal(client.settings, settings) then
      push(client, vim.deepcopy(settings))
    end
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

--- The file that the server's command names for its log, `~` being the home folder, as the server
--- takes it; nil: what the server says is in Neovim's.
---@return string?
function M.log_file()
  local cmd = vim.lsp.config[M.name].cmd
  for index, word in ipairs(type(cmd) == "table" and cmd or {}) do
    local file = word == "--log-file" and cmd[index + 1] or word:match("^%-%-log%-file=(.*)")
    if file then
      return vim.fs.normalize(file, { expand_env = false })
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

--- Tell again of a command that cannot be run.
function M.forget_missing()
  said_missing = {}
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

return M
