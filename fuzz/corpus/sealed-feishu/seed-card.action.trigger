POST /feishu HTTP/1.1
x-sample: card.action.trigger
x-change: 7 1

{"schema":"2.0","header":{"event_id":"f7984f25108f8137722bb63cee927e66","token":"VERIFICATION_TOKEN","create_time":"1763719200123456","event_type":"card.action.trigger","tenant_key":"2df73991750xxxxx","app_id":"cli_9f5343c580712544"},"event":{"operator":{"tenant_key":"2df73991750xxxxx","user_id":"867xxxxx","open_id":"ou_84aad35d084aa403a838cf73ee18467"},"token":"c-295ee57216a5dc9de90fefd0aadb4b1d7dxxxxxx","action":{"value":{"key":"值 ✅"},"tag":"button"},"host":"im_message","context":{"open_message_id":"om_574d639e4a44e4dd646eaf628e2e4daa","open_chat_id":"oc_d2xxxxxx"}}}