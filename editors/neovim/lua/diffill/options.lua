--- The plugin's own options, and what is wrong with those that were given.
---
--- What the server should do is not here: that is `settings`, handed to it as it is
--- (docs/configuration.md). Invariant: `current` is always complete and of the right kinds; a
--- value of the wrong kind is named and its default stays.

local M = {}

---@class diffill.Options
local defaults = {
  --- The server's command line. nil: `diffill serve` with a log file.
  cmd = nil,
  --- Handed to the server under `diffill`.
  settings = {},
  --- own, auto: drawn by the plugin, except in buffers that have Neovim's own inline completion
  --- (0.12) switched on, for whatever server: what both draw would stand there twice; native: it
  --- is switched on; off: no ghost text, candidates in the completion menu.
  ghost = "auto",
  --- Shade ghost text of the plugin's by how sure the model is of each part.
  confidence = false,
  --- Show what the model has written so far while a rewrite or a fill runs.
  drafts = true,
  --- Start the server again when it ends without being asked to.
  restart = true,
  --- Where rewrites are shown: float or split.
  preview = "float",
  --- What `:Diffill fill` takes for a hole where the server is not told otherwise.
  marker = "___",
}

local choices = {
  ghost = { auto = true, native = true, own = true, off = true },
  preview = { float = true, split = true },
}

local kinds = {
  cmd = "table",
  settings = "table",
  ghost = "string",
  confidence = "boolean",
  drafts = "boolean",
  restart = "boolean",
  preview = "string",
  marker = "string",
}

M.current = vim.deepcopy(defaults)

---@param key string
---@param value any
---@return string? problem
local function problem(key, value)
  local kind = kinds[key]
  if not kind then
    return ("%s is no option; there are %s"):format(key, table.concat(vim.fn.sort(vim.tbl_keys(kinds)), ", "))
  end
  if type(value) ~= kind then
    return ("%s must be a %s, not a %s"):format(key, kind, type(value))
  end
  if choices[key] and not choices[key][value] then
    local known = table.concat(vim.fn.sort(vim.tbl_keys(choices[key])), ", ")
    return ('%s is "%s"; use one of %s'):format(key, value, known)
  end
end

--- Lay options over the defaults; tell of the ones that cannot be used.
---@param given table?
---@return string[] problems
function M.take(given)
  local problems = {}
  M.current = vim.deepcopy(defaults)
  for key, value in pairs(given or {}) do
    local wrong = problem(key, value)
    if wrong then
      problems[#problems + 1] = wrong
    else
      M.current[key] = vim.deepcopy(value)
    end
  end
  table.sort(problems)
  return problems
end

--- Who draws ghost text in a buffer now: "native", "own" or "off".
---@param buf integer
---@return string
function M.ghost(buf)
  local wanted, native = M.current.ghost, vim.lsp.inline_completion
  if wanted == "off" then
    return "off"
  end
  return native and (wanted == "native" or native.is_enabled({ bufnr = buf })) and "native" or "own"
end

--- A table without the values that another one has in the same places.
---@param whole table
---@param part table
---@return table
function M.without(whole, part)
  local rest = {}
  for key, value in pairs(whole) do
    local other = part[key]
    if type(value) == "table" and type(other) == "table" and not vim.islist(value) then
      local inner = M.without(value, other)
      rest[key] = next(inner) and inner or nil
    elseif not vim.deep_equal(value, other) then
      rest[key] = value
    end
  end
  return rest
end

--- The settings as they go to the server: an empty table would be sent as a list.
---@return table
function M.settings()
  local settings = M.current.settings
  return { diffill = next(settings) and settings or vim.empty_dict() }
end

---@return string[]
function M.default_cmd()
  return { "diffill", "serve", "--log-file", vim.fs.joinpath(vim.fn.stdpath("log"), "diffill.log") }
end

return M
