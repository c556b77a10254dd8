--- `:Diffill` and its sub-commands, with completion.

local client_of = require("diffill.client")
local life = require("diffill.life")

local M = {}

local DAY_MINUTES = 1440 -- the longest snooze of the server

--- The only word behind the command's name.
---@param list string[]
---@return fun(before: string[]): string[]
local function one_of(list)
  return function(before)
    return #before == 0 and list or {}
  end
end

---@param clients vim.lsp.Client[]
---@param minutes number
---@param done? fun()
local function snooze(clients, minutes, done)
  client_of.command(clients, "diffill.snooze", { minutes }, function(status, client)
    require("diffill.status").changed(status, client.id)
    life.snoozed(minutes)
    if done and client == clients[1] then
      done()
    end
  end)
end

---@class diffill.Command
---@field of_selection? boolean
---@field run fun(arguments: string[], command: table)
---@field complete? fun(before: string[]): string[] what can follow the words behind the command's name

---@type table<string, diffill.Command>
M.all = {
  toggle = {
    run = function()
      local on = not client_of.is_on()
      client_of.configure({ enable = on })
      if on then
        local status = require("diffill.status")
        local snoozed = vim.tbl_filter(function(client)
          return status.is_snoozed(client.id)
        end, vim.lsp.get_clients({ name = client_of.name }))
        life.snoozed(0)
        snooze(snoozed, 0)
      end
      client_of.say(on and "suggestions are on" or "suggestions are off")
    end,
  },
  status = {
    run = function()
      require("diffill.status").show()
    end,
  },
  explain = {
    run = function()
      require("diffill.status").explain()
    end,
  },
  log = {
    run = function()
      local file, noted = client_of.log_file(), vim.lsp.log.get_filename()
      local ended = life.ended -- before its first answer: what it said then is not in its own log
      if not file or (ended and not (ended.answered and vim.uv.fs_stat(file))) then
        file = noted
      end
      if vim.uv.fs_stat(file) then
        vim.cmd.split({ args = { file }, magic = { file = false, bar = false } })
        vim.cmd("normal! G")
      else
        client_of.say("there is no log yet; it will be " .. file)
      end
    end,
  },
  rewrite = {
    of_selection = true,
    run = function(arguments, command)
      require("diffill.rewrite").run(command, arguments[1])
    end,
    complete = one_of({ "0.1", "0.3", "0.5", "0.8", "1.0" }),
  },
  fill = {
    of_selection = true,
    run = function(arguments, command)
      require("diffill.fill").run(command, arguments[1])
    end,
  },
  bridge = {
    run = function()
      require("diffill.fill").bridge()
    end,
  },
  comment = {
    run = function()
      require("diffill.fill").from_comment()
    end,
  },
  cancel = {
    run = function()
      client_of.say(require("diffill.drafts").cancel_all() and "cancelled" or "nothing is under way")
    end,
  },
  pin = {
    of_selection = true,
    run = function(arguments, command)
      local pins = require("diffill.pins")
      local buf = vim.api.nvim_get_current_buf()
      if arguments[1] == "clear" then
        pins.clear(buf)
        return
      end
      local range = require("diffill.place").selected(command)
      if not range then
        return
      elseif range[1] == range[3] and range[2] == range[4] then
        client_of.say("there is no text to pin", vim.log.levels.WARN)
        return
      end
      local pinned = pins.toggle(buf, range)
      client_of.say(pinned and "pinned" or "not pinned any more")
    end,
    complete = one_of({ "clear" }),
  },
  snooze = {
    run = function(arguments)
      local minutes = tonumber(arguments[1] or "5")
      if not (minutes and minutes >= 0 and minutes <= DAY_MINUTES) then -- so that nan is none
        local text = "snooze is %s; give a number of minutes from 0 to %d"
        client_of.say(text:format(arguments[1], DAY_MINUTES), vim.log.levels.ERROR)
        return
      end
      if client_of.need(0) then
        snooze(vim.lsp.get_clients({ name = client_of.name }), minutes, function()
          client_of.say(minutes > 0 and ("quiet for %g minutes"):format(minutes) or "no longer quiet")
        end)
      end
    end,
    complete = one_of({ "5", "30", "60", "0" }),
  },
  train = {
    run = function(arguments)
      require("diffill.train").run(arguments[1])
    end,
    complete = function(before)
      return #before == 0 and require("diffill.train").verbs or {}
    end,
  },
  model = {
    run = function(arguments)
      require("diffill.models").run(arguments[1], arguments[2])
    end,
    complete = function(before)
      local models = require("diffill.models")
      if #before == 0 then
        return models.verbs
      end
      return #before == 1 and vim.list_contains({ "select", "delete" }, before[1]) and models.names() or {}
    end,
  },
  restart = { run = life.restart },
}

---@return string[]
function M.names()
  local names = vim.tbl_keys(M.all)
  table.sort(names)
  return names
end

---@param command table what `nvim_create_user_command` passes
function M.run(command)
  local arguments = vim.deepcopy(command.fargs)
  local name = table.remove(arguments, 1) or "status"
  local found = M.all[name]
  if not found then
    client_of.say(("%s is no command; there are %s"):format(name, table.concat(M.names(), ", ")), vim.log.levels.ERROR)
    return
  end
  found.run(arguments, found.of_selection and require("diffill.place").with_selection(command) or command)
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local before = vim.split(line:sub(1, #line - #lead):gsub("^.-Dif%a*%s+", ""), "%s+", { trimempty = true })
  local known, name = M.names(), table.remove(before, 1)
  if name then
    local command = M.all[name]
    known = command and command.complete and command.complete(before) or {}
  end
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, known)
end

return M
