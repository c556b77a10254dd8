--- `:Diffill model`: the base model and what tuning has made of it, and which one is used.

local client_of = require("diffill.client")
local roots = require("diffill.roots")
local show = require("diffill.show")

local M = {}

local COMPLETION_MS = 1000 -- how long a key may wait for names

M.verbs = { "list", "select", "base", "delete" }

--- What an answer to `diffill/model/list` offers: the base model first, its name nil.
---@param result table
---@return {name: string?, text: string}[]
function M.entries(result)
  local adapters, entries, selected = result.adapters or {}, {}, false
  for _, adapter in ipairs(adapters) do
    local text = adapter.name
    for _, word in ipairs({ "selected", "served" }) do
      text = adapter[word] and text .. ", " .. word or text
    end
    selected = selected or adapter.selected
    text = type(adapter.created) == "string" and text .. ", " .. adapter.created:sub(1, 10) or text
    text = type(adapter.problem) == "string" and text .. ": " .. adapter.problem or text
    entries[#entries + 1] = { name = adapter.name, text = text }
  end
  local base = ("%s model, not tuned%s"):format(result.base or "bundled", selected and "" or ", selected")
  table.insert(entries, 1, { text = base })
  return entries
end

---@param client vim.lsp.Client
---@param name string?
local function select(client, name)
  client_of.request(client, 0, "diffill/model/select", { name = name or vim.NIL }, function(result)
    local what = (name or "the base model") .. roots.where(client)
    if type(result.notServed) == "string" then
      client_of.say(("%s is chosen, but not used: %s"):format(what, result.notServed), vim.log.levels.WARN)
    else
      client_of.say(("%s is used from now on"):format(what))
    end
  end)
end

---@param client vim.lsp.Client
---@param name string
local function delete(client, name)
  client_of.request(client, 0, "diffill/model/delete", { name = name }, function()
    client_of.say(("%s%s is deleted"):format(name, roots.where(client)))
  end)
end

--- Show what there is, to read or to choose from.
---@param client vim.lsp.Client
---@param to_choose boolean
local function offer(client, to_choose)
  local buf = vim.api.nvim_get_current_buf()
  client_of.request(client, 0, "diffill/model/list", vim.empty_dict(), function(result)
    local entries = M.entries(result)
    local function text(entry)
      return entry.text
    end
    if not to_choose then
      local lines = vim.tbl_map(text, entries)
      if type(result.problem) == "string" then
        lines[#lines + 1] = "not served: " .. result.problem
      end
      show.lines(buf, "models" .. roots.where(client), lines)
      return
    end
    show.when_free(buf, "the choice of a model", function()
      vim.ui.select(entries, { prompt = "Model", format_item = text }, function(chosen)
        if chosen then
          select(client, chosen.name)
        end
      end)
    end)
  end)
end

--- The names that a command for one can be given; none where it is not clear whose.
---@return string[]
function M.names()
  local all = vim.lsp.get_clients({ name = client_of.name })
  local client = client_of.get(0) or (#all == 1 and all[1] or nil)
  local answer = client and client:request_sync("diffill/model/list", vim.empty_dict(), COMPLETION_MS, 0)
  return vim.tbl_map(function(adapter)
    return adapter.name
  end, vim.tbl_get(answer or {}, "result", "adapters") or {})
end

---@param verb string?
---@param name string?
function M.run(verb, name)
  if not vim.list_contains(M.verbs, verb) then
    client_of.say("model: one of " .. table.concat(M.verbs, ", "), vim.log.levels.ERROR)
    return
  elseif verb == "delete" and not name then
    client_of.say("model delete: name the tuning; :Diffill model list has them", vim.log.levels.ERROR)
    return
  end
  roots.choose(function(client)
    if verb == "delete" then
      delete(client, name --[[@as string]])
    elseif verb == "base" or verb == "select" and name then
      select(client, verb == "select" and name or nil)
    else
      offer(client, verb == "select")
    end
  end)
end

return M
