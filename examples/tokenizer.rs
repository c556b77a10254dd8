//! A tokenizer and evaluator for simple arithmetic such as `2 * (3 + 4)`.

use std::iter::Peekable;
use std::str::Chars;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token {
    Number(f64),
    Plus,
    Minus,
    Star,
    Slash,
    LeftParen,
    RightParen,
}

#[derive(Debug, PartialEq)]
pub enum TokenError {
    UnexpectedChar(char),
    InvalidNumber(String),
}

pub struct Tokenizer<'a> {
    chars: Peekable<Chars<'a>>,
}

impl<'a> Tokenizer<'a> {
    pub fn new(source: &'a str) -> Self {
        Tokenizer {
            chars: source.chars().peekable(),
        }
    }

    pub fn tokenize(mut self) -> Result<Vec<Token>, TokenError> {
        let mut tokens = Vec::new();
        while let Some(&c) = self.chars.peek() {
            match c {
                ' ' | '\t' | '\n' => {
                    self.chars.next();
                }
                '0'..='9' | '.' => tokens.push(self.number()?),
                '+' => tokens.push(self.single(Token::Plus)),
                '-' => tokens.push(self.single(Token::Minus)),
                '*' => tokens.push(self.single(Token::Star)),
                '/' => tokens.push(self.single(Token::Slash)),
                '(' => tokens.push(self.single(Token::LeftParen)),
                ')' => tokens.push(self.single(Token::RightParen)),
                other => return Err(TokenError::UnexpectedChar(other)),
            }
        }
        Ok(tokens)
    }

    fn single(&mut self, token: Token) -> Token {
        self.chars.next();
        token
    }

    fn number(&mut self) -> Result<Token, TokenError> {
        let mut text = String::new();
        while let Some(&c) = self.chars.peek() {
            if !c.is_ascii_digit() && c != '.' {
                break;
            }
            text.push(c);
            self.chars.next();
        }
        match text.parse::<f64>() {
            Ok(value) => Ok(Token::Number(value)),
            Err(_) => Err(TokenError::InvalidNumber(text)),
        }
    }
}

fn main() {
    let source = "2 * (3 + 4.5)";
    match Tokenizer::new(source).tokenize() {
        Ok(tokens) => println!("{:?}", tokens),
        Err(error) => eprintln!("error: {:?}", error),
    }
}
