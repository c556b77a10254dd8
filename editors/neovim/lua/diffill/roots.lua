--- Several servers: one for each repository, since tuning, and the adapter that is served, are those of
--- a server's first folder. What lies outside any repository joins one that runs.
---
--- Invariant: what concerns no document goes to the current buffer's server, to the only one, or to
--- the one that a person chooses; never to an arbitrary one.

local client_of = require("diffill.client")

local M = {}

--- Whether a server serves a buffer that one with a configuration is wanted for.
---@param client vim.lsp.Client
---@param config vim.lsp.ClientConfig
---@return boolean
function M.reuse(client, config)
  if client.name ~= config.name or client:is_stopped() then
    return false
  end
  local own = config.root_dir and { { uri = vim.uri_from_fname(config.root_dir) } }
  return vim.iter(config.workspace_folders or own or {}):all(function(folder)
    return vim.iter(client.workspace_folders or {}):any(function(known)
      return known.uri == folder.uri
    end)
  end)
end

---@param client vim.lsp.Client
---@return string
function M.name(client)
  return client.root_dir and vim.fn.fnamemodify(client.root_dir, ":~") or "no repository"
end

--- Whose answer it is, where that needs to be said.
---@param client vim.lsp.Client?
---@return string
function M.where(client)
  local several = client and #vim.lsp.get_clients({ name = client_of.name }) > 1
  return several and (" (%s)"):format(M.name(client --[[@as vim.lsp.Client]])) or ""
end

---@param callback fun(client: vim.lsp.Client)
function M.choose(callback)
  local all = vim.lsp.get_clients({ name = client_of.name })
  local one = client_of.get(0) or (#all < 2 and client_of.need(0) or nil)
  if one then
    callback(one)
  elseif #all > 1 then
    vim.ui.select(all, { prompt = "Diffill of", format_item = M.name }, function(chosen)
      if chosen then
        callback(chosen)
      end
    end)
  end
end

--- Ask a server what concerns no document.
---@param method string
---@param params any
---@param callback fun(result: any, client: vim.lsp.Client)
function M.ask(method, params, callback)
  M.choose(function(client)
    client_of.request(client, 0, method, params, callback)
  end)
end

return M
