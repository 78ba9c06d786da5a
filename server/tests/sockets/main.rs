//! The server over real sockets, one file for each behaviour.

mod client;
mod game;
mod harness;
mod history;
mod laned;

mod bad_input;
mod bots;
mod certificates;
mod chat;
mod commands;
mod flood;
mod http;
mod http3;
mod http_page;
mod http_places;
mod identity;
mod journal;
mod large_game;
mod leaving;
mod network;
mod notices;
mod requests;
mod restart;
mod restored;
mod restored_twice;
mod resume;
mod room_lists;
mod room_options;
mod rooms;
mod slow_reader;
mod static_data;
mod stop;
mod threads;
mod transports;
mod websocket;
