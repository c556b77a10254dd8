--- `:Diffill model`: which models and adapters there are, and which is used.

local client_of = require("diffill.client")
local show = require("diffill.show")

local M = {}

M.verbs = { "list", "select" }

--- The entries of an answer to `diffill/model/list`.
---@param result any
---@return table[]
local function entries(result)
  if type(result) ~= "table" then
    return {}
  end
  return result.models or result.items or result.adapters or (vim.islist(result) and result or {})
end

local function name_of(entry)
  return type(entry) == "table" and (entry.name or entry.id) or tostring(entry)
end

local function select(name)
  client_of.ask(0, "diffill/model/select", { name = name }, function()
    client_of.say(("model %s is used from now on"):format(name))
  end)
end

---@param verb string?
---@param name string?
function M.run(verb, name)
  if verb == "select" and name then
    select(name)
    return
  end
  if not vim.list_contains(M.verbs, verb) then
    client_of.say("model: one of " .. table.concat(M.verbs, ", "), vim.log.levels.ERROR)
    return
  end
  client_of.ask(0, "diffill/model/list", vim.empty_dict(), function(result)
    if verb == "list" then
      show.lines("models", show.described(result))
      return
    end
    vim.ui.select(entries(result), { prompt = "Model", format_item = name_of }, function(chosen)
      if chosen then
        select(name_of(chosen))
      end
    end)
  end)
end

return M
