--- Buffers without a name: their URIs are all `file://`, and a server knows one document by it.
---
--- Invariant: one turn of the loop after buffers were attached to a server, one nameless buffer is,
--- and the document that the server has under that URI is its text.

local M = {}
local api = vim.api

local left_out = {} ---@type table<integer, integer> buffer -> client id

---@param client vim.lsp.Client
---@return integer[]
local function attached(client)
  local buffers = vim.tbl_filter(function(buf)
    return api.nvim_buf_is_loaded(buf) and api.nvim_buf_get_name(buf) == ""
  end, vim.tbl_keys(client.attached_buffers))
  table.sort(buffers)
  return buffers
end

--- Whether another nameless buffer has the URI of this one.
---@param buf integer
---@return boolean
function M.is_taken(buf)
  return api.nvim_buf_get_name(buf) == ""
    and vim.iter(vim.lsp.get_clients({ name = "diffill" })):any(function(client)
      return vim.iter(attached(client)):any(function(other)
        return other ~= buf
      end)
    end)
end

--- Keep the first of several nameless buffers. Detaching the others closes their common document,
--- so the one that stays is opened anew.
---@param client vim.lsp.Client
local function settle(client)
  local buffers = attached(client)
  if #buffers < 2 or client:is_stopped() then
    return
  end
  for _, buf in ipairs(buffers) do
    left_out[buf] = buf ~= buffers[1] and client.id or nil
    vim.lsp.buf_detach_client(buf, client.id)
  end
  vim.lsp.buf_attach_client(buffers[1], client.id)
end

--- The client that would serve a nameless buffer if that had a name. It is told once.
---@param buf integer
---@return vim.lsp.Client?
function M.left_out(buf)
  local id = left_out[buf]
  left_out[buf] = nil
  return id and vim.lsp.get_client_by_id(id) or nil
end

--- A buffer was attached. While the event runs, Neovim has not yet noted that.
---@param buf integer
---@param client vim.lsp.Client
function M.attached(buf, client)
  if api.nvim_buf_get_name(buf) == "" then
    vim.schedule(function()
      settle(client)
    end)
  end
end

return M
