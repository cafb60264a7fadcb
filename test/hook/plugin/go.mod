module sextant/test/hook/plugin

go 1.21
