--- `:checkhealth diffill`: each thing that must be right, and what to do where it is not.

local client_of = require("diffill.client")
local diffill = require("diffill")
local life = require("diffill.life")
local options = require("diffill.options")

local M = {}
local health = vim.health
local WAIT_MS = 15000

local function check_neovim()
  health.start("Neovim")
  local version = tostring(vim.version())
  if vim.fn.has("nvim-0.11") == 0 then
    health.error(version .. " is too old", "Install Neovim 0.11 or newer.")
    return
  end
  health.ok(version)
  local how = {
    native = "drawn by Neovim (vim.lsp.inline_completion)",
    own = "drawn by the plugin",
    off = 'off; candidates come in the completion menu (setup option `ghost` is "off")',
  }
  local client = client_of.get()
  local buf = client and next(client.attached_buffers) or vim.api.nvim_get_current_buf()
  health.info("ghost text: " .. how[options.ghost(buf)])
end

--- Whether the command is there, and which version it is.
local function check_command()
  health.start("Server")
  local config = vim.lsp.config[client_of.name]
  local cmd = config.cmd
  if type(cmd) ~= "table" then
    health.info("the command is a function of yours and is not checked")
    return
  end
  if vim.fn.executable(cmd[1]) == 0 then
    health.error(('"%s" cannot be run: it is not installed or not on PATH'):format(cmd[1]), {
      "Install Diffill; after `make setup` in its checkout the command is .venv/bin/diffill.",
      'Or name it: require("diffill").setup({ cmd = { "/path/to/diffill", "serve" } })',
    })
    return
  end
  local asked = vim.list_extend(vim.deepcopy(cmd), { "--version" })
  local ran, answer = pcall(function()
    return vim.system(asked, { text = true, env = config.cmd_env, cwd = config.cmd_cwd }):wait(WAIT_MS)
  end)
  if not ran or answer.code ~= 0 then
    local said = ran and vim.trim(answer.stderr or "") or tostring(answer)
    health.error(("`%s` fails: %s"):format(table.concat(asked, " "), said:match("[^\n]*$")), {
      "Run that command in a terminal. If a module is missing, it is another Python than Diffill's.",
    })
    return
  end
  health.ok(("%s: %s"):format(table.concat(cmd, " "), vim.trim(answer.stdout)))
end

--- What one of the servers says of itself.
---@param client vim.lsp.Client
local function check_client(client)
  local version = (client.server_info or {}).version
  if version and version ~= diffill.version then
    health.warn(
      ("the server is version %s, the plugin %s"):format(version, diffill.version),
      "Update the older one, then :Diffill restart."
    )
  end
  local answer, why = client:request_sync("diffill/status", nil, WAIT_MS, 0)
  if not answer or answer.err then
    health.error("the server does not answer: " .. (why or answer.err.message), ":Diffill restart, then :Diffill log.")
    return
  end
  local status = answer.result
  local lines = require("diffill.status").lines(status)
  local tell = status.kind == "Error" and health.error or status.kind == "Inactive" and health.warn or health.ok
  local root = client.root_dir or "no folder"
  tell(("running in %d buffer(s) of %s. %s"):format(vim.tbl_count(client.attached_buffers), root, lines[1]))
  for index = 2, #lines do
    local say = vim.startswith(lines[index], "setting: ") and health.warn or health.info
    say(lines[index])
  end
end

local function check_clients()
  if life.ended then
    health.error(("the server ended %s"):format(life.ended.how), {
      ":Diffill log has its last words.",
      ":Diffill restart tries again.",
    })
  end
  local clients = vim.lsp.get_clients({ name = client_of.name })
  if #clients == 0 and not client_of.is_enabled() then
    health.warn("the server is not enabled", 'Call vim.lsp.enable("diffill").')
  elseif #clients == 0 and not life.ended then
    health.info("no server runs yet; it starts with the first file in a language it knows")
  end
  vim.iter(clients):each(check_client)
end

local function check_keys()
  health.start("Keys")
  local maps, found = vim.api.nvim_get_keymap("i"), {}
  for _, client in ipairs(vim.lsp.get_clients({ name = client_of.name })) do
    for buf in pairs(client.attached_buffers) do
      vim.list_extend(maps, vim.api.nvim_buf_get_keymap(buf, "i"))
    end
  end
  for _, map in ipairs(maps) do
    local to = (map.rhs or "") .. (map.desc or "")
    local new = not map.lhs:match("^<Plug>") and not vim.list_contains(found, map.lhs)
    if new and to:match("[Dd]iffill") then
      found[#found + 1] = map.lhs
    end
  end
  if #found > 0 then
    health.ok("insert mode: " .. table.concat(found, ", "))
  else
    health.warn("no key accepts a suggestion, as far as can be seen", {
      'vim.keymap.set("i", "<C-l>", "<Plug>(diffill-accept)")',
      ":help diffill-keys",
    })
  end
end

function M.check()
  check_neovim()
  check_command()
  check_clients()
  check_keys()
  health.start("Log")
  local file = client_of.log_file()
  if file then
    health.info(file)
  end
  health.info(vim.lsp.log.get_filename() .. " (what Neovim noted)")
end

return M
