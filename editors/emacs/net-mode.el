;;; net-mode.el --- netc in Emacs 29 or later  -*- lexical-binding: t; -*-
;; Put this file on the `load-path' and (require 'net-mode). `netc' must be on the path.

(require 'eglot)

(defvar net-mode-words
  '("model" "block" "fn" "let" "use" "input" "param" "table" "repeat" "each" "scan" "for" "in" "if" "else" "out" "as" "is"
    "expect" "where" "shared" "default" "true" "false" "and" "or" "not" "train")
  "The keywords of the net language; a test compares them with its grammar.")

(define-derived-mode net-mode prog-mode "Net"
  "Neural networks in the net language."
  (setq-local comment-start "# ")
  (setq-local comment-end "")
  (setq-local font-lock-defaults
              `((("\\_<as\\s-+\\([^ \t\n]+\\)" 1 font-lock-variable-name-face)
                 (,(regexp-opt net-mode-words 'symbols) . font-lock-keyword-face)
                 ("\\_<[0-9][0-9_.]*\\(x[0-9A-Z]+\\)*\\_>" . font-lock-constant-face)))))

(modify-syntax-entry ?# "<" net-mode-syntax-table)
(modify-syntax-entry ?\n ">" net-mode-syntax-table)
(modify-syntax-entry ?_ "_" net-mode-syntax-table)

(add-to-list 'auto-mode-alist '("\\.net\\'" . net-mode))
(add-to-list 'eglot-server-programs '(net-mode . ("netc" "lsp" "--stdio")))
(add-hook 'net-mode-hook #'eglot-ensure)

(provide 'net-mode)
;;; net-mode.el ends here
