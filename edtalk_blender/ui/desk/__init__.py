# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies around the work: messages, poses, views, a scene that is set up for film, all faces at once.
`MODULES` of the room above names its modules.
"""
