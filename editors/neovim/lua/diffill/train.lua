--- `:Diffill train`: tune the model on this repository. Asks `diffill/train/*` and shows answers.
---
--- Invariant: nothing is decided here; keys of an answer or an event that this plugin does not know
--- are left alone.

local client_of = require("diffill.client")
local roots = require("diffill.roots")
local show = require("diffill.show")
local status = require("diffill.status")

local M = {}

M.verbs = { "plan", "start", "pause", "resume", "stop", "status" }

local words = {
  train = "tuning",
  validation = "tuning",
  resumed = "tuning",
  plan = "planning",
  choosing_rate = "choosing a rate",
  rate = "tuning",
}

---@param loss any
local function shown(loss)
  return type(loss) == "number" and (", loss %.2f"):format(loss) or ""
end

---@param event table
---@return string
local function ending(event)
  if event.event == "done" and type(event.adapter) == "string" then
    local figures = type(event.figures) == "table" and event.figures or {}
    local gain = type(figures.loss_before) == "number"
        and type(figures.loss_after) == "number"
        and ("; loss on held-out files %.2f -> %.2f"):format(figures.loss_before, figures.loss_after)
      or ""
    return ("tuning %s is ready%s"):format(event.adapter, gain)
  end
  local what = event.event == "done" and "tuning is over" or "tuning " .. event.event
  return type(event.message) == "string" and what .. ": " .. event.message or what
end

--- `diffill/train/progress`.
---@param event any
---@param client integer
function M.progress(event, client)
  if type(event) ~= "table" or type(event.event) ~= "string" then
    return
  end
  local kind, where = event.event, roots.where(vim.lsp.get_client_by_id(client))
  if kind == "warning" then
    client_of.say("tuning: " .. tostring(event.message) .. where, vim.log.levels.WARN)
  elseif kind == "done" or kind == "stopped" or kind == "failed" then
    status.training(nil, client)
    -- Of a run that nobody asked for only what it made is news.
    if event.byItself ~= true or type(event.adapter) == "string" then
      client_of.say(ending(event) .. where, kind == "failed" and vim.log.levels.ERROR or nil)
    end
  else
    local share = event.progress
    if type(event.done) == "number" and type(event.of) == "number" and event.of > 0 then
      share = event.done / event.of
    end
    local word = words[kind] or kind
    status.training(type(share) == "number" and ("%s %d%%"):format(word, math.floor(100 * share)) or word, client)
  end
end

--- What a plan would read, and how long it would take.
---@param plan table
---@return string[]
function M.plan_lines(plan)
  local lines = {
    ("%d files, %d tokens to learn from"):format(plan.files or 0, plan.tokens or 0),
    ("%d files held out to measure on"):format(plan.held_out_files or 0),
  }
  local minutes = plan.expected_minutes or plan.most_minutes
  if type(minutes) == "number" then
    lines[#lines + 1] = ("about %d minutes, at low priority"):format(math.max(1, math.floor(minutes + 0.5)))
  end
  local reasons = vim.tbl_keys(type(plan.excluded) == "table" and plan.excluded or {})
  table.sort(reasons)
  for _, reason in ipairs(reasons) do
    lines[#lines + 1] = ("left out: %d %s"):format(plan.excluded[reason], (reason:gsub("_", " ")))
  end
  vim.list_extend(lines, plan.notes or {})
  lines[#lines + 1] = ":Diffill train start begins"
  return lines
end

--- One line about a run: its state and what its newest event says.
---@param run table
---@return string
function M.run_line(run)
  local line = (run.state or run.event or "none") .. shown(run.loss)
  if type(run.eta_minutes) == "number" then
    line = line .. (", %d min left"):format(math.ceil(run.eta_minutes))
  end
  return type(run.message) == "string" and line .. ": " .. run.message or line
end

---@param verb string?
function M.run(verb)
  if not vim.list_contains(M.verbs, verb) then
    client_of.say("train: one of " .. table.concat(M.verbs, ", "), vim.log.levels.ERROR)
    return
  end
  local buf = vim.api.nvim_get_current_buf()
  roots.ask("diffill/train/" .. verb, vim.empty_dict(), function(result, client)
    if verb == "plan" then
      show.lines(buf, "train plan" .. roots.where(client), M.plan_lines(result))
    elseif verb == "start" then
      client_of.say(("tuning on %s has begun; :Diffill train status tells how far it is"):format(result.repository))
    else
      client_of.say("tuning: " .. M.run_line(result) .. roots.where(client))
    end
  end)
end

return M
