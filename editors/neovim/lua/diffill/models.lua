--- `:Diffill model`: the base model and what tuning has made of it, and which one is used.

local client_of = require("diffill.client")
local show = require("diffill.show")

local M = {}

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

---@param name string?
local function select(name)
  client_of.ask(0, "diffill/model/select", { name = name or vim.NIL }, function(result)
    local what = name or "the base model"
    if type(result.notServed) == "string" then
      client_of.say(("%s is chosen, but not used: %s"):format(what, result.notServed), vim.log.levels.WARN)
    else
      client_of.say(("%s is used from now on"):format(what))
    end
  end)
end

---@param name string
local function delete(name)
  client_of.ask(0, "diffill/model/delete", { name = name }, function()
    client_of.say(("%s is deleted"):format(name))
  end)
end

---@param verb string?
---@param name string?
function M.run(verb, name)
  if not vim.list_contains(M.verbs, verb) then
    client_of.say("model: one of " .. table.concat(M.verbs, ", "), vim.log.levels.ERROR)
  elseif verb == "base" then
    select(nil)
  elseif verb == "select" and name then
    select(name)
  elseif verb == "delete" and not name then
    client_of.say("model delete: name the tuning; :Diffill model list has them", vim.log.levels.ERROR)
  elseif verb == "delete" then
    delete(name --[[@as string]])
  else
    local buf = vim.api.nvim_get_current_buf()
    client_of.ask(0, "diffill/model/list", vim.empty_dict(), function(result)
      local entries = M.entries(result)
      local function text(entry)
        return entry.text
      end
      if verb == "list" then
        local lines = vim.tbl_map(text, entries)
        if type(result.problem) == "string" then
          lines[#lines + 1] = "not served: " .. result.problem
        end
        show.lines(buf, "models", lines)
        return
      end
      show.when_free(buf, "the choice of a model", function()
        vim.ui.select(entries, { prompt = "Model", format_item = text }, function(chosen)
          if chosen then
            select(chosen.name)
          end
        end)
      end)
    end)
  end
end

return M
