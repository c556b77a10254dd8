;;; diffill.el --- Diffill as an add-on server for lsp-mode -*- lexical-binding: t -*-

;;; Commentary:

;; Put this file on `load-path' and (require 'diffill) after lsp-mode.  Suggestions come as
;; ghost text where lsp-mode has `lsp-inline-completion-mode', else in the completion menu.

;;; Code:

(require 'lsp-mode)

(defgroup diffill nil
  "Fill holes in code with a model on this machine."
  :group 'lsp-mode)

(defcustom diffill-command '("diffill" "serve")
  "The command that starts the server."
  :type '(repeat string)
  :group 'diffill)

;; Every key is in docs/configuration.md; nil leaves the default.
(defcustom diffill-initialization-options nil
  "Settings as a plist, such as (:inline (:maxLines 3))."
  :type '(plist :key-type symbol)
  :group 'diffill)

(lsp-register-client
 (make-lsp-client
  :new-connection (lsp-stdio-connection (lambda () diffill-command))
  :activation-fn (lsp-activate-on "python" "javascript" "javascriptreact" "typescript"
                                  "typescriptreact" "go" "rust" "java" "c" "cpp")
  :initialization-options (lambda () diffill-initialization-options)
  :priority -1
  :add-on? t
  :server-id 'diffill))

(provide 'diffill)
;;; diffill.el ends here
