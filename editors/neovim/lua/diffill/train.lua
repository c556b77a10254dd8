--- `:Diffill train`: tune the model on this repository. Asks `diffill/train/*` and shows answers.
---
--- Invariant: nothing is decided here; the answers are shown as the server gives them, also with
--- keys that this plugin does not know.

local client_of = require("diffill.client")
local show = require("diffill.show")
local status = require("diffill.status")

local M = {}

M.verbs = { "plan", "start", "pause", "resume", "stop", "status" }

--- `diffill/train/progress`.
---@param progress any
function M.progress(progress)
  if type(progress) ~= "table" then
    return
  end
  local state = progress.state or progress.kind or "training"
  local share = progress.percentage or (type(progress.share) == "number" and 100 * progress.share)
  if type(progress.step) == "number" and type(progress.steps) == "number" and progress.steps > 0 then
    share = share or 100 * progress.step / progress.steps
  end
  local over = vim.list_contains({ "done", "finished", "stopped", "failed", "idle" }, state)
  if over then
    status.training(nil)
    client_of.say(("training %s%s"):format(state, progress.message and ": " .. progress.message or ""))
  else
    status.training(share and ("%s %d%%"):format(state, math.floor(share)) or tostring(state))
  end
end

---@param verb string?
function M.run(verb)
  if not vim.list_contains(M.verbs, verb) then
    client_of.say("train: one of " .. table.concat(M.verbs, ", "), vim.log.levels.ERROR)
    return
  end
  client_of.ask(0, "diffill/train/" .. verb, vim.empty_dict(), function(result)
    show.lines("train " .. verb, show.described(result))
  end)
end

return M
