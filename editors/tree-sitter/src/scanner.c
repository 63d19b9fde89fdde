// Where a statement ends: at the end of a line, unless the next line goes on with `->` or `else`. The parser asks only where a statement may
// end; after an operator, or within brackets, it does not ask.
#include "tree_sitter/parser.h"

enum { NEWLINE, NEVER };

void *tree_sitter_net_external_scanner_create(void) { return 0; }
void tree_sitter_net_external_scanner_destroy(void *scanner) { (void)scanner; }
unsigned tree_sitter_net_external_scanner_serialize(void *scanner, char *buffer) {
  (void)scanner;
  (void)buffer;
  return 0;
}
void tree_sitter_net_external_scanner_deserialize(void *scanner, const char *buffer, unsigned length) {
  (void)scanner;
  (void)buffer;
  (void)length;
}

static bool is_word(int32_t c) { return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

// Whether what follows, after blank lines and comments, continues the statement.
static bool continues(TSLexer *lexer) {
  for (;;) {
    while (lexer->lookahead == ' ' || lexer->lookahead == '\t' || lexer->lookahead == '\r' || lexer->lookahead == '\f' ||
           lexer->lookahead == '\n')
      lexer->advance(lexer, false);
    if (lexer->lookahead != '#') break;
    while (lexer->lookahead != '\n' && !lexer->eof(lexer)) lexer->advance(lexer, false);
  }
  const char *word = lexer->lookahead == '-' ? "->" : "else";
  for (const char *at = word; *at; at++) {
    if (lexer->lookahead != *at) return false;
    lexer->advance(lexer, false);
  }
  return word[0] == '-' || !is_word(lexer->lookahead);
}

bool tree_sitter_net_external_scanner_scan(void *scanner, TSLexer *lexer, const bool *valid) {
  (void)scanner;
  if (!valid[NEWLINE]) return false;
  while (lexer->lookahead == ' ' || lexer->lookahead == '\t' || lexer->lookahead == '\r' || lexer->lookahead == '\f')
    lexer->advance(lexer, true);
  if (lexer->lookahead != '\n') return false;
  lexer->advance(lexer, false);
  lexer->mark_end(lexer);
  if (continues(lexer)) return false;
  lexer->result_symbol = NEWLINE;
  return true;
}
